"""A client of the local endpoint of `vouchsafe agent run`, with Python's standard library alone.

    agent = Agent()
    headers = agent.headers_for("POST", "https://ledger.example/bookings", body, audience="ledger.example")

Python 3.9 or newer. The keys are in the sidecar's memory; here are only tokens and what was released.
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import urllib.parse

LARGEST_ANSWER = 1024 * 1024


class AgentFault(Exception):
    """Why the agent did not get what it asked for. `code` is stable: docs/agents.md. `next` says what can be done."""

    def __init__(self, status, document):
        self.status = status
        self.code = document.get("code", "no-problem-document")
        self.detail = document.get("detail", "")
        self.next = document.get("next", "")
        self.request_id = document.get("requestId", "")
        super().__init__(f"{self.code}: {self.detail}")


class Agent:
    """Asks nothing before it is told to. `path`: default, what the sidecar set as VOUCHSAFE_SOCKET."""

    def __init__(self, path=None, timeout=120):
        self._path = path or os.environ["VOUCHSAFE_SOCKET"]
        self._timeout = timeout

    def token_for(self, audience=None):
        """A token as text: one for federation is what a cloud's token exchange takes."""
        query = "" if audience is None else "?" + urllib.parse.urlencode({"audience": audience})
        return self._ask("GET", "/v1/tokens" + query)["token"]

    def headers_for(self, method, url, body=None, audience=None):
        """Authorization and DPoP for one request: each proof is taken once, within a minute. `body`: bytes, as sent."""
        asked = {"method": method, "url": url}
        if body is not None:
            digest = hashlib.sha256(body).digest()
            asked["bodySha256"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if audience is not None:
            asked["audience"] = audience
        return self._ask("POST", "/v1/proofs", asked)["headers"]

    def release(self, resource, minimum_version=1):
        """A secret, with the id under which `held` and `give_back` know it. Python cannot overwrite bytes: copy them once."""
        answer = self._ask(
            "POST", "/v1/releases", {"resource": resource, "minimumVersion": minimum_version}
        )
        answer["secret"] = bytearray(base64.b64decode(answer["secret"], validate=True))
        return answer

    def held(self, release, wait_seconds=0):
        """Whether what was released may be used still. With `wait_seconds` it answers when that changes, or after so long."""
        path = f"/v1/releases/{urllib.parse.quote(release, safe='')}?wait={wait_seconds}"
        return self._ask("GET", path)["state"] == "held"

    def give_back(self, release):
        self._ask("DELETE", f"/v1/releases/{urllib.parse.quote(release, safe='')}")

    def report_usage(self, model_tokens=0, model_micro_usd=0):
        """What calls of models cost since the last report: it counts against the budget of the release."""
        self._ask("POST", "/v1/usage", {"modelTokens": model_tokens, "modelMicroUsd": model_micro_usd})

    def report_state(self, path):
        """A file that the manifest names as state was written."""
        self._ask("POST", "/v1/state", {"path": os.path.abspath(path)})

    def session(self):
        return self._ask("GET", "/v1/session")

    def _ask(self, method, path, body=None):
        connection = _UnixConnection(self._path, self._timeout)
        try:
            # The endpoint answers no name that a browser could be led to.
            headers = {"Host": "vouchsafe"}
            text = None
            if body is not None:
                text = json.dumps(body).encode()
                headers["Content-Type"] = "application/json"
            connection.request(method, path, text, headers)
            response = connection.getresponse()
            answer = response.read(LARGEST_ANSWER + 1)
        except OSError as cause:
            raise AgentFault(
                0,
                {
                    "code": "endpoint-unreachable",
                    "detail": f"the local endpoint did not answer: {cause}",
                    "next": "Is the sidecar running (vouchsafe agent run), and may this user ask it?",
                },
            ) from cause
        finally:
            connection.close()
        document = _document(answer)
        if response.status // 100 != 2 or document is None:
            raise AgentFault(response.status, document or {})
        return document


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("vouchsafe", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _document(answer):
    if len(answer) > LARGEST_ANSWER:
        return None
    try:
        document = json.loads(answer)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
