from st2tests.base import BaseActionAliasTestCase


class AskAliasTestCase(BaseActionAliasTestCase):
    action_alias_name = "ask"

    def test_formats(self):
        first = self.action_alias_db["formats"][0]
        second = self.action_alias_db["formats"][1]["representation"][0]
        self.assertCommandMatchesExactlyOneFormatString([first, second], "ask beacon north")
        self.assertExtractedParametersMatch(second, "is north lit", {"place": "north"})
        with self.assertRaises(AssertionError):
            self.assertCommandMatchesExactlyOneFormatString([first, second], "dance")
