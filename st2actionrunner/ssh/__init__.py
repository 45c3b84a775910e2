"""Commands on other hosts. Runs in a process of its own under the keeper: plain threads, no gevent."""
