from ask import Ask
from st2tests.base import BaseActionTestCase


class AskTestCase(BaseActionTestCase):
    action_cls = Ask

    def test_asking_counts(self):
        action = self.get_action_instance({"token": "t", "limits": {"tries": 2}})
        place = self.get_fixture_content("place.txt").strip()
        self.assertEqual(action.run(place), (True, {"beacon": "beacon of north", "asked": 1, "text": "tries: 2\n"}))
        self.assertEqual(action.run(place, loud=True)[1]["beacon"], "BEACON OF NORTH")
        self.assertEqual(self.action_service.get_value("beacon.Ask:asked", local=False), "2")

    def test_nowhere(self):
        self.assertIs(self.get_action_instance({"token": "t"}).run(" ")[0], False)
