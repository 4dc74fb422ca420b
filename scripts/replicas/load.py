"""Clients of a balancer, and what they saw."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx


@dataclass
class Ledger:
    """What the clients were told. Used by several threads."""

    answers: "Counter[str]" = field(default_factory=Counter)  # by route and status, with a problem's code
    acknowledged: dict[str, str] = field(default_factory=dict)  # names, and the templates that were promised
    broken: list[str] = field(default_factory=list)  # what no document allows
    slowest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, route: str, answer: httpx.Response | None, seconds: float) -> None:
        """Counts an answer; None is a connection that broke."""
        if answer is None:
            kind = "no answer"
        elif answer.is_success:
            kind = str(answer.status_code)
        else:
            try:
                kind = f"{answer.status_code} {answer.json()['code']}"
            except ValueError:
                kind = f"{answer.status_code} without a problem document"
        with self._lock:
            self.answers[f"{route} {kind}"] += 1
            self.slowest_s = max(self.slowest_s, seconds)

    def acknowledge(self, name: str, template_id: str) -> None:
        with self._lock:
            if self.acknowledged.setdefault(name, template_id) != template_id:
                self.broken.append("two templates for one Idempotency-Key")


class Client(threading.Thread):
    """Enrolls, verifies and identifies in turn, until `stop`. Repeats an enrollment until it is acknowledged."""

    def __init__(self, url: str, photos: Sequence[bytes], ledger: Ledger, stop: threading.Event) -> None:
        super().__init__()
        self._http = httpx.Client(base_url=url, timeout=90)
        self._photos, self._ledger, self._stopped = photos, ledger, stop

    def run(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            first, second = self._photos[turn % len(self._photos)], self._photos[(turn + 1) % len(self._photos)]
            turn += 1
            self._enroll(first)
            self._send("/verify", {"image1": first, "image2": second})
            self._send("/identify", {"image": second})
        self._http.close()

    def _enroll(self, photo: bytes) -> None:
        name, key = f"p-{uuid.uuid4().hex}", uuid.uuid4().hex
        for _ in range(60):
            answer = self._send("/enroll", {"image": photo}, {"identity": name}, {"Idempotency-Key": key})
            if answer is not None and answer.status_code == 201:
                self._ledger.acknowledge(name, answer.json()["template_id"])
                return
            time.sleep(0.5)  # as a client does that reads Retry-After

    def _send(
        self,
        route: str,
        photos: dict[str, bytes],
        fields: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = self._http.post(route, files=photos, data=fields, headers=headers)
        except httpx.TransportError:
            answer = None
        self._ledger.record(route, answer, time.monotonic() - began)
        return answer


def stored_templates(url: str) -> dict[str, set[str]]:
    """Returns all names in the default gallery, and their templates."""
    found: dict[str, set[str]] = {}
    with httpx.Client(base_url=url, timeout=60) as http:
        after: str | None = None
        while True:
            page = http.get("/identities", params={"limit": 1000, **({"after": after} if after else {})})
            page.raise_for_status()
            for each in page.json()["identities"]:
                found[each["identity"]] = {template["template_id"] for template in each["templates"]}
            after = page.json()["next_after"]
            if after is None:
                return found
