"""Whether an event meets the criteria of rules. No database and no broker here: values in, an answer out."""
