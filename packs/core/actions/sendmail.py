from __future__ import annotations

import mimetypes
import shutil
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from st2common.runners.base_action import Action

# sendmail is often where the path of a service does not lead.
_USUAL_PATHS = "/usr/sbin:/usr/lib:/usr/bin"


class SendMail(Action):
    def run(self, sendmail_binary: str, **mail: Any) -> tuple[bool, str]:
        if not mail["body"].strip() and not mail["send_empty_body"]:
            return True, "The body is empty: nothing was sent"
        program = shutil.which(sendmail_binary) or shutil.which(sendmail_binary, path=_USUAL_PATHS)
        if program is None:
            return False, f"There is no program {sendmail_binary} on this host"
        message = _message(mail)
        # -t: the recipients are those of the message, so that none of them can be an option.
        done = subprocess.run([program, "-t", "-i"], input=message.as_bytes(), capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        return done.returncode == 0, said or f"exit code {done.returncode}"


def _message(mail: dict[str, Any]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = mail["from"]
    message["To"] = ", ".join(_parts(mail["to"]))
    message["Subject"] = mail["subject"]
    message.set_content(mail["body"], subtype=mail["content_type"].partition("/")[2])
    for name in _parts(mail["attachments"]):
        path = Path(name)
        kind, _, subtype = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").partition("/")
        message.add_attachment(path.read_bytes(), maintype=kind, subtype=subtype, filename=path.name)
    return message


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
