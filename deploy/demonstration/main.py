"""deploy/demo after the build: starts the stack, then tells or checks the story."""
import argparse
import signal
import sys

import story
from stack import Failed, Stack

NEXT = """
Posted order {key} (request {request}). Try next, in another terminal:

  curl -s http://{gateway}/v1/orders/{key}
  curl -si http://{gateway}/v1/orders -H 'content-type: application/json' -d '{{"customerID":"ada","total":19.99}}'
  curl -si -X PATCH http://{gateway}/v1/orders/{key} -H 'content-type: application/merge-patch+json' -d '{{"status":"PAID"}}'
  http://{gateway}/portal/   in a browser: place and find orders; on this machine no key is asked for
  kcat -b {kafka} -C -t orders.changes -e -q -f '%k %h\\n%s\\n\\n'
  curl -s http://{management}/metrics
  ls {maildir}/new

Logs and configuration: {folder}. Ctrl-C stops everything.
"""


def interrupted(signum, frame):
    raise KeyboardInterrupt


def serve(stack):
    story.put_products(stack)
    key, request = story.post_one(stack)
    print(NEXT.format(key=key, request=request, gateway=stack.gateway, management=stack.management, kafka=stack.kafka,
                      maildir=stack.maildir, folder=stack.folder), flush=True)
    while True:
        signal.sigtimedwait([signal.SIGUSR1], 1)
        stack.alive()


def main():
    parser = argparse.ArgumentParser(prog="deploy/demo")
    parser.add_argument("--root", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--env")
    for flag in ("--check", "--kafka", "--keep"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupted)
    stack = Stack(options.root, options.build, options.kafka)
    keep = options.keep
    try:
        stack.up()
        if options.env:
            stack.write_env(options.env)
        if options.check:
            return 0 if story.check(stack) else 1
        serve(stack)
    except KeyboardInterrupt:
        print("\nStopping", flush=True)
        return 0 if not options.check else 1
    except Failed as failure:
        keep = True
        print("deploy/demo: %s" % failure, file=sys.stderr, flush=True)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.down(keep)


if __name__ == "__main__":
    sys.exit(main())
