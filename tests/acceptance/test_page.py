"""The page of the API in a real browser."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from st2ctl.installation import Installation
from tests.acceptance.platforms import Platform
from tests.acceptance.test_authentication import certify
from tests.flows import write_pack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.full

# Without the last four the browser looks for its maker's hosts.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What the browser says of answers that some tests want; everything else it complains about is a fault.
_NOT_LOADED = "Failed to load resource: "
# For the page to become what it is expected to be, also on a machine that has much else to do.
_PATIENCE_MS = 30_000


class PagePlatform(Platform):
    def page_of(self, execution_id: str, place: str = "") -> str:
        return f"{Installation.in_directory(self.var).api_url}/#/executions/{execution_id}{place}"

    def run(self, *words: str) -> str:
        """The id of an execution that was just accepted."""
        ran = self.st2("run", "-a", *words)
        found = re.search(r"[0-9a-f]{24}", ran.stdout)
        assert found, ran.stdout + ran.stderr
        return found[0]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagePlatform]:
    platform = PagePlatform(tmp_path_factory.mktemp("page") / "var", ["standalone"])
    write_pack(platform.var / "packs")
    with platform.running():
        yield platform


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[browser]'")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("no chromium: apt-get install --no-install-recommends chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window; whatever the browser complains about fails the test."""
    with _window(browser) as window:
        yield window


@contextlib.contextmanager
def _window(browser: Browser, **options: Any) -> Iterator[Page]:
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 700}, **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    window = context.new_page()
    window.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on("dialog", lambda dialog: dialog.accept())
    yield window
    context.close()
    assert [text for text in complaints if not text.startswith(_NOT_LOADED)] == []


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect

    expect.set_options(timeout=_PATIENCE_MS)
    return expect(locator)


def texts(page: Page) -> list[str]:
    found: list[str] = page.locator("#log .text").all_inner_texts()
    return found


def test_output_appears_while_it_is_printed(page: Page, platform: PagePlatform, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    colour, html = r"\033[1;31mred\033[0m", "<img src=x onerror=alert(1)>"
    execution_id = platform.run(
        "core.local",
        f"cmd=printf '{colour} plain\\n{html}\\n'; echo oops >&2; until [ -e {go_on} ]; do sleep 0.05; done; exit 3",
    )
    page.goto(platform.page_of(execution_id))
    expect(page.locator("#status")).to_have_text("running")
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#log .line")).to_have_count(3)
    assert sorted(texts(page)) == sorted(["red plain", html, "oops"])
    expect(page.locator(".bold")).to_have_attribute("style", "color: var(--ansi-1);")
    expect(page.locator(".line.stderr .text")).to_have_text("oops")
    expect(page.locator(".line.stderr .link")).to_have_text("err")
    go_on.touch()
    expect(page.locator("#status")).to_have_text("failed")
    expect(page.locator("#exit-code")).to_have_text("exit code 3")
    expect(page.locator("#connection")).to_have_text("ended")
    expect(page.locator("#cancel")).to_be_hidden()
    expect(page.locator("#list [aria-current] .status")).to_have_text("failed")
    assert page.title() == "core.local · failed"


def test_a_progress_bar_is_one_line(page: Page, platform: PagePlatform) -> None:
    # More than a line may hold, if what was printed over still counted.
    page.goto(platform.page_of(platform.run("examples.progress", "steps=200", "delay=0")))
    expect(page.locator("#status")).to_have_text("succeeded")
    assert texts(page) == [f"[{'#' * 200}] 100%"]


def test_a_long_output(page: Page, platform: PagePlatform) -> None:
    """Its end first, then its beginning, then all of it by scrolling: in order, nothing missing, nothing doubled."""
    page.goto(platform.page_of(platform.run("core.local", "cmd=seq 1 50000")))
    expect(page.locator("#connection")).to_have_text("ended")
    expect(page.locator("#log .text").last).to_have_text("50000")
    page.keyboard.press("Home")
    expect(page.locator("#log .text").first).to_have_text("1")
    expect(page.locator("#badge")).to_have_text("End ↓")
    page.locator("#log").hover()
    shown = _numbers(page)
    while shown[-1] < 50000:
        last = shown[-1]
        page.mouse.wheel(0, 10**6)
        page.wait_for_function(f"() => {_LAST} > {last}")
        shown = _numbers(page)
        assert shown[0] <= last
    # And back, from the last lines.
    page.keyboard.press("End")
    expect(page.locator("#log .text").first).to_have_text("48001")
    page.locator("#log").evaluate("log => log.scrollTop = 100")
    expect(page.locator("#badge")).to_be_visible()
    page.mouse.wheel(0, -200)
    expect(page.locator("#log .text").first).not_to_have_text("48001")
    _numbers(page)


_LAST = "Number([...document.querySelectorAll('.text')].at(-1).textContent)"


def _numbers(page: Page) -> list[int]:
    """The lines, which must be numbers without a gap."""
    shown = [int(text) for text in page.evaluate("[...document.querySelectorAll('.text')].map(e => e.textContent)")]
    assert shown == list(range(shown[0], shown[-1] + 1))
    return shown


def test_who_scrolls_up_is_not_dragged_along(page: Page, platform: PagePlatform, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    page.goto(
        platform.page_of(
            platform.run(
                "core.local", f"cmd=seq 1 100; until [ -e {go_on} ]; do sleep 0.05; done; seq 101 103; sleep 60"
            )
        )
    )
    expect(page.locator("#log .text").last).to_have_text("100")
    page.locator("#log").hover()
    page.mouse.wheel(0, -500)
    expect(page.locator("#badge")).to_have_text("Paused · End ↓")
    top = page.locator("#log").evaluate("log => log.scrollTop")
    go_on.touch()
    expect(page.locator("#badge")).to_have_text("Paused · 3 new lines · End ↓")
    assert page.locator("#log").evaluate("log => log.scrollTop") == top
    page.keyboard.press("End")
    expect(page.locator("#badge")).to_be_hidden()
    expect(page.locator("#log .text").last).to_be_in_viewport()
    page.locator("#cancel").click()
    expect(page.locator("#status")).to_have_text("canceled")


@pytest.mark.parametrize(("key", "number"), [("Home", "2345"), ("End", "29990")])
def test_a_link_to_a_line(page: Page, platform: PagePlatform, browser: Browser, key: str, number: str) -> None:
    """Also behind more lines of its chunk, or the one before, than a page shows at a time."""
    page.goto(platform.page_of(platform.run("core.local", "cmd=seq 1 30000")))
    expect(page.locator("#connection")).to_have_text("ended")
    page.keyboard.press(key)
    page.locator(".line", has=page.get_by_text(number, exact=True)).locator(".link").click()
    expect(page.locator(".here .text")).to_have_text(number)
    with _window(browser) as other:
        other.goto(page.url)
        expect(other.locator(".here .text")).to_have_text(number)
        expect(other.locator(".here")).to_be_in_viewport()


def test_by_keyboard_alone(page: Page, platform: PagePlatform) -> None:
    execution_id = platform.run("core.local", "cmd=seq 1 300")
    page.goto(platform.page_of("").replace("#/executions/", ""))
    expect(page.locator("#list a").first).to_have_attribute("href", f"#/executions/{execution_id}")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#identity")).to_have_text(execution_id)
    expect(page.locator("#status")).to_have_text("succeeded")
    expect(page.locator("#log .line")).to_have_count(300)
    for mode, pattern in (("since start", r"\+\d+\.\d{3}"), ("UTC", r"[\d:]{8}\.\d{3}"), ("local", r"[\d:]{8}\.\d{3}")):
        page.keyboard.press("t")
        expect(page.locator("#times")).to_have_text(f"Times: {mode}")
        expect(page.locator("#log time").first).to_have_text(re.compile(f"^{pattern}$"))
    page.keyboard.press("w")
    expect(page.locator("#wrap")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("f")
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("c")
    expect(page.locator("#copy.done")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == [str(number) for number in range(1, 301)]
    page.locator("#copy-curl").press("Enter")
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('curl -N http')")
    assert f"/v1/executions/{execution_id}/stdout" in page.evaluate("navigator.clipboard.readText()")


def test_an_execution_that_cannot_start_says_why(page: Page, platform: PagePlatform) -> None:
    page.goto(platform.page_of(platform.run("core.local", "cmd=date", "cwd=/no/such/directory")))
    expect(page.locator("#notice")).to_contain_text("/no/such/directory")
    expect(page.locator("#empty")).to_have_text("It printed nothing.")


def test_the_raw_output_is_a_download(page: Page, platform: PagePlatform) -> None:
    page.goto(platform.page_of(platform.run("core.local", "cmd=seq 1 5")))
    expect(page.locator("#status")).to_have_text("succeeded")
    with page.expect_download() as download:
        page.locator("#raw-stdout").click()
    assert Path(download.value.path()).read_text() == "1\n2\n3\n4\n5\n"


def test_an_unknown_execution(page: Page, platform: PagePlatform) -> None:
    page.goto(platform.page_of("0" * 24))
    expect(page.locator("#connection")).to_contain_text("Unable to identify resource")


@pytest.mark.parametrize("options", [{"color_scheme": "dark"}, {"viewport": {"width": 380, "height": 700}}])
def test_a_dark_and_a_narrow_window(browser: Browser, platform: PagePlatform, options: dict[str, Any]) -> None:
    execution_id = platform.run("core.local", f"cmd=echo {'long ' * 100}")
    with _window(browser) as window:
        if "color_scheme" in options:
            window.emulate_media(color_scheme="dark")
        else:
            window.set_viewport_size(options["viewport"])
        window.goto(platform.page_of(execution_id))
        expect(window.locator("#status")).to_have_text("succeeded")
        # Nothing sticks out at the side.
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert window.locator("#log").evaluate("log => log.scrollWidth <= log.clientWidth")
        if "viewport" in options:
            expect(window.locator("nav")).to_be_hidden()
            window.locator("#back").click()
            expect(window.locator("nav")).to_be_visible()
        else:
            assert window.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"


def test_a_restart_loses_and_doubles_nothing(page: Page, platform: PagePlatform, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    execution_id = platform.run(
        "core.local", f"cmd=seq 1 50; until [ -e {go_on} ]; do sleep 0.05; done; seq 51 100; echo end >&2"
    )
    page.goto(platform.page_of(execution_id))
    expect(page.locator("#log .line")).to_have_count(50)
    crashed = platform.process("st2standalone")
    crashed.send(signal.SIGKILL)
    assert crashed.wait(10)
    expect(page.locator("#connection")).to_have_text("reconnecting")
    go_on.touch()
    platform.start()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)
    expect(page.locator("#connection")).to_have_text("ended")
    assert sorted(texts(page)) == sorted([*map(str, range(1, 101)), "end"])


def steps(page: Page) -> list[str]:
    """Each line with the path of its step."""
    found: list[str] = page.evaluate(_STEPS)
    return found


_STEP = "line => `${line.querySelector('.path').textContent}: ${line.querySelector('.text').textContent}`"
_STEPS = f"[...document.querySelectorAll('.line')].map({_STEP})"
# From now on all lines that have been in the document, also those that have left it before anybody looked.
_NOTE_STEPS = f"""() => {{
    window.noted = new Set({_STEPS});
    const note = (changes) => changes.flatMap((change) => [...change.addedNodes])
        .filter((node) => node.matches?.('.line')).map({_STEP}).forEach((step) => window.noted.add(step));
    new MutationObserver(note).observe(document.querySelector('#log'), {{ childList: true, subtree: true }});
}}"""


_BEGIN = [
    "before: core.local has started",
    "before: one",
    "before: succeeded, exit code 0",
    "inner: flows.inner has started",
    "inner/wait: core.local has started",
    "inner/wait: inside",
]
_END = [
    "after[0]: core.local has started",
    "after[0]: last 1",
    "after[0]: succeeded, exit code 0",
    "after[1]: core.local has started",
    "after[1]: last 2",
    "after[1]: succeeded, exit code 0",
    "inner/nothing: core.noop has started",
    "inner/nothing: succeeded",
    "inner/wait: out",
    "inner/wait: succeeded, exit code 0",
    "inner: succeeded",
]


def _of(path: str, lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(f"{path}: ")]


@pytest.mark.parametrize("broken", [False, True])
def test_a_workflow_is_one_tree(page: Page, platform: PagePlatform, tmp_path: Path, broken: bool) -> None:
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    execution_id = platform.run("flows.outer", f"notes={notes}", f"gate={gate}")
    page.goto(platform.page_of(execution_id))
    expect(page.locator("#log .line")).to_have_count(len(_BEGIN))
    assert steps(page) == _BEGIN
    expect(page.locator("#raw-stdout")).to_be_hidden()
    if broken:
        crashed = platform.process("st2standalone")
        crashed.send(signal.SIGKILL)
        assert crashed.wait(10)
        expect(page.locator("#connection")).to_have_text("reconnecting")
        platform.start()
    gate.touch()
    expect(page.locator("#connection")).to_have_text("ended", timeout=30_000)
    expect(page.locator("#status")).to_have_text("succeeded")
    shown = steps(page)
    assert shown[: len(_BEGIN)] == _BEGIN
    assert sorted(shown[len(_BEGIN) :]) == sorted(_END)
    # Steps may run at the same time; the lines of each are in order.
    for path in {line.partition(": ")[0] for line in shown}:
        assert _of(path, shown) == _of(path, [*_BEGIN, *_END])
    # Afterwards it is the same, step by step.
    page.reload()
    expect(page.locator("#connection")).to_have_text("ended")
    expect(page.locator("#log .line")).to_have_count(len(shown))
    assert sorted(steps(page)) == sorted(shown)
    # A step's path leads to the step, which alone is not a tree.
    page.locator(".path", has_text="inner/wait").first.click()
    expect(page.locator("#action")).to_have_text("core.local")
    expect(page.locator("#raw-stdout")).to_be_visible()
    expect(page.locator("#log .line")).to_have_count(2)
    assert texts(page) == ["inside", "out"]


def test_a_large_workflow(page: Page, platform: PagePlatform) -> None:
    """Its end first; from the beginning, all of it by scrolling: nothing missing, nothing doubled."""
    count, lines = 100, 100
    page.goto(platform.page_of(platform.run("flows.many", f"count={count}", f"lines={lines}")))
    expect(page.locator("#status")).to_have_text("succeeded", timeout=90_000)
    expect(page.locator("#connection")).to_have_text("ended")
    assert page.locator("#log .line").count() <= 2000
    page.keyboard.press("Home")
    expect(page.locator("#log .text").first).to_have_text("core.local has started")
    page.locator("#log").hover()
    page.evaluate(_NOTE_STEPS)
    while page.locator("#connection").inner_text() != "ended":
        last = steps(page)[-1]
        page.mouse.wheel(0, 10**6)
        page.wait_for_function(f"last => {_STEPS}.at(-1) !== last", arg=last)
        shown = steps(page)
        assert len(set(shown)) == len(shown)
    assert page.evaluate("window.noted.size") == (lines + 2) * count


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[PagePlatform]:
    """A platform that asks who calls; ``ada`` has the password ``secret``."""
    platform = PagePlatform(tmp_path / "var", ["standalone"])
    certify(tmp_path)
    platform.require_logins({"ada": "secret"})
    platform.configure("auth", use_ssl="True", cert=f"{tmp_path}/cert.pem", key=f"{tmp_path}/key.pem")
    with platform.running():
        yield platform


def test_signing_in(page: Page, guarded: PagePlatform, tmp_path: Path) -> None:
    service = ("--cacert", f"{tmp_path}/cert.pem", "--auth-url", f"https://127.0.0.1:{guarded.config.auth.port}")
    token = guarded.st2("auth", "ada", "-p", "secret", "-t", *service).stdout.strip()
    execution_id = guarded.run("core.local", "cmd=seq 1 5", "--token", token)
    page.goto(guarded.page_of(execution_id))
    expect(page.locator("#sign-in")).to_be_visible()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in [role=alert]")).to_contain_text("Unauthorized")
    page.locator("#sign-in input").fill(token)
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in")).to_be_hidden()
    for _ in range(2):
        expect(page.locator("#status")).to_have_text("succeeded")
        expect(page.locator("#log .line")).to_have_count(5)
        expect(page.locator("#curl")).to_contain_text("$ST2_AUTH_TOKEN")
        assert page.evaluate("document.cookie") == ""
        page.reload()
