"""What must not happen in any page, whatever it is shown."""

from urllib.parse import urlsplit

from playwright.sync_api import Page

HOSTILE = (
    '<img src=x onerror="window.pwned=1"> </script><script>window.pwned=2</script> '
    "![x](http://192.0.2.1/x.png) :red[no] $x$ javascript:alert(1) \u202eevil\u202c {{1+1}} =1+1"
)


class Watched:
    """Notes a page's requests to other hosts, its script errors and its dialogs."""

    def __init__(self, page: Page, own_url: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        self._own = urlsplit(own_url).netloc
        page.on("request", lambda request: self._note_request(request.url))
        page.on("pageerror", lambda error: self.wrong.append(f"script error {error}"))
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._own:
            self.wrong.append(f"asked {parts.netloc}")

    def check(self) -> None:
        assert self.page.evaluate("window.pwned") is None
        assert not self.wrong
