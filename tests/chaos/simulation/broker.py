"""A broker that loses, doubles, delays and reorders events, and whose connections break."""

from __future__ import annotations

from collections.abc import Callable

from st2common.errors import TransportError
from st2common.transport.port import Body, Message, WorkQueue
from st2common.transport.routing import matches
from tests.chaos.simulation.schedule import Schedule


class SimulatedSubscription:
    def __init__(self, handler: Callable[[Message], None], on_reconnect: Callable[[], None]) -> None:
        self.handler = handler
        self.on_reconnect = on_reconnect
        self.bindings: set[tuple[str, str]] = set()

    def bind(self, exchange: str, pattern: str) -> None:
        self.bindings.add((exchange, pattern))

    def unbind(self, exchange: str, pattern: str) -> None:
        self.bindings.discard((exchange, pattern))

    def wants(self, message: Message) -> bool:
        return any(
            exchange == message.exchange and matches(pattern, message.routing_key)
            for exchange, pattern in self.bindings
        )

    def stop(self) -> None:
        self.bindings.clear()

    def healthy(self) -> bool:
        return True


class SimulatedBroker:
    """Implements the transport's port as far as the log and the dispatch use it. Work messages wait in ``work``."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._subscriptions: list[SimulatedSubscription] = []
        self._events: list[Message] = []
        self.work: list[Body] = []
        self.away = False
        self.faulty = True

    def subscribe(self, handler: Callable[[Message], None], on_reconnect: Callable[[], None]) -> SimulatedSubscription:
        if not self._subscriptions:
            self._schedule.spawn("broker", self._deliver)
        self._subscriptions.append(SimulatedSubscription(handler, on_reconnect))
        return self._subscriptions[-1]

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        self._schedule.turn()
        chance = self._schedule.chance
        copies = chance.choice((0, 1, 1, 1, 2)) if self.faulty else 1
        for _ in range(0 if self.away else copies):
            self._events.append(Message(exchange, routing_key, body))

    def publish(self, exchange: str, routing_key: str, body: Body) -> None:
        """What is not confirmed may have arrived all the same."""
        self._schedule.turn()
        failing = self.faulty and self._schedule.chance.random() < 0.1
        if not self.away and not (failing and self._schedule.chance.random() < 0.5):
            self.work.append(body)
        if self.away or failing:
            raise TransportError("away")

    def take(self) -> Body | None:
        """A work message, in any order; now and then it stays for another consumer too."""
        if self.away or not self.work:
            return None
        chance = self._schedule.chance
        place = chance.randrange(len(self.work))
        return self.work[place] if self.faulty and chance.random() < 0.1 else self.work.pop(place)

    def reconnect(self) -> None:
        """Every connection broke: what was under way is lost."""
        self._events.clear()
        for subscription in self._subscriptions:
            subscription.on_reconnect()

    def declare(self, *queues: WorkQueue) -> None: ...

    def healthy(self) -> bool:
        return not self.away

    def close(self, deadline: float = 5.0) -> None: ...

    def _deliver(self) -> None:
        chance = self._schedule.chance
        while True:
            self._schedule.sleep(0.0 if self._events else 0.05)
            if self._events and not self.away:
                event = self._events.pop(chance.randrange(min(3, len(self._events))) if self.faulty else 0)
                for subscription in self._subscriptions:
                    if subscription.wants(event):
                        subscription.handler(event)
