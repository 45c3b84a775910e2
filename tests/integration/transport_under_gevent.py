"""Run as a script by test_amqp_wire.py: <broker's url> <prefix>."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

from st2common.transport.amqp import AmqpTransport  # noqa: E402
from st2common.transport.port import Delivery, Message, WorkQueue  # noqa: E402

WORK = WorkQueue("st2.gevent.work", "st2.gevent", "work")
SENDERS, EACH = 10, 20


def main() -> None:
    transport = AmqpTransport(sys.argv[1], prefix=sys.argv[2])
    work: list[int] = []
    events: list[int] = []
    late = threading.Event()
    everything = threading.Event()
    ticks = 0

    def on_work(delivery: Delivery) -> None:
        work.append(delivery.message.body["n"])
        delivery.ack()
        tell()

    def on_event(message: Message) -> None:
        if message.routing_key == "late":
            late.set()
        else:
            events.append(message.body["n"])
        tell()

    def tell() -> None:
        if len(work) == len(events) == SENDERS * EACH:
            everything.set()

    def tick() -> None:
        nonlocal ticks
        while not everything.is_set():
            time.sleep(0.001)
            ticks += 1

    transport.consume(WORK, on_work, prefetch=5)
    subscription = transport.subscribe(on_event, lambda: None)
    subscription.bind("st2.events", "now")
    ticker = threading.Thread(target=tick)
    ticker.start()

    def send(sender: int) -> None:
        for n in range(EACH):
            transport.publish("st2.gevent", "work", {"n": sender * EACH + n})
            transport.notify("st2.events", "now", {"n": sender * EACH + n})

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    assert everything.wait(20), (len(work), len(events))
    subscription.bind("st2.events", "late")
    transport.notify("st2.events", "late", {})
    assert late.wait(10)
    ticker.join()
    transport.close()
    assert sorted(work) == sorted(events) == list(range(SENDERS * EACH))
    # Nothing in the transport blocks the other greenlets.
    kept = "ticks kept coming" if ticks > 20 else f"only {ticks} ticks"
    print(f"work {len(work)}, events {len(events)}, late 1, {kept}")


main()
