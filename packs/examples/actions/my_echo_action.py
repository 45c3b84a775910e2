from st2common.runners.base_action import Action


class MyEchoAction(Action):
    def run(self, message: str) -> tuple[bool, str]:
        print(message)

        if message == "working":
            return (True, message)
        return (False, message)
