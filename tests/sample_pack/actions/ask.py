import yaml
from beacon_names import full_name
from st2common.runners.base_action import Action


class Ask(Action):
    def __init__(self, config=None, action_service=None):
        super().__init__(config=config, action_service=action_service)
        self.tries = self.config.get("limits", {}).get("tries", 1)

    def run(self, place, loud=False):
        if not place.strip():
            return False, "A beacon has to stand somewhere"
        print("asking with", self.config["token"])
        self.logger.debug("up to %d times", self.tries)
        asked = int(self.action_service.get_value("asked") or 0) + 1
        self.action_service.set_value("asked", asked)
        name = full_name(place)
        return True, {
            "beacon": name.upper() if loud else name,
            "asked": asked,
            "text": yaml.safe_dump({"tries": self.tries}),
        }
