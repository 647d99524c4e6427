"""An agent in Python: shows a relying party that it was attested, reports what its model cost, and keeps a secret only as long
as it may. Started by `vouchsafe agent run ... -- python3 agent.py [--ledger URL] [--audience NAME] [--resource NAME]`.
"""

import argparse
import json
import sys
import urllib.request

from vouchsafe_agent import Agent, AgentFault


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--ledger", help="where a booking is sent; without it none is")
    options.add_argument("--audience", help="what the ledger is called in the policy")
    options.add_argument("--resource", help="a secret to ask for")
    asked = options.parse_args()
    agent = Agent()
    try:
        # The first token comes once the session is open.
        agent.token_for(asked.audience)
        tell("session", state=agent.session()["state"])
        if asked.ledger:
            tell("booked", status=book(agent, asked.ledger, asked.audience))
        if asked.resource:
            use(agent, asked.resource)
        # What a call of a model cost: here 812 tokens, and 2436 millionths of a dollar.
        agent.report_usage(model_tokens=812, model_micro_usd=2436)
        tell("done")
        return 0
    except AgentFault as fault:
        tell("refused", code=fault.code, next=fault.next)
        return 2


def book(agent, ledger, audience):
    body = json.dumps({"account": "4711", "amount": 7}).encode()
    headers = agent.headers_for("POST", ledger, body, audience)
    request = urllib.request.Request(ledger, body, headers, method="POST")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status


def use(agent, resource):
    released = agent.release(resource)
    secret = released.pop("secret")
    try:
        tell("released", resource=released["resource"], version=released["version"], bytes=len(secret))
        # Before whatever cannot be taken back: may it still be used?
        tell("lease", held=agent.held(released["release"]))
    finally:
        secret[:] = bytes(len(secret))
        agent.give_back(released["release"])


def tell(event, **told):
    print(json.dumps({"event": event, **told}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
