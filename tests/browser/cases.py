"""What people do with the portal, each function one flow. They share a stack and leave alone what the others made."""
import contextlib
import json
import re
import signal
import urllib.request

from stage import ACTION_MS, DESK, PHONE, ROOT, Visit, check, equal, wait_until

MAIL_S = STORED_S = 30
PAGE = 25
JOURNEYS_MOST = 5  # asked until an order is mailed: what there is, what is news, and where a notifier is not known yet or the machine is slow


def place_one(visit, number, customer="ada"):
    """Fills the form of typed lines and sends it."""
    visit.page.get_by_label("Customer").fill(customer)
    visit.page.get_by_label("Order number").fill(number)
    visit.page.get_by_label("Article").fill("SKU-9")
    visit.page.get_by_label("Unit price").fill("9.95")
    visit.press("Place the order")


def go(visit, title):
    visit.page.get_by_role("navigation").get_by_role("link", name=title).click()
    visit.heading(title)


def case_sign_in(browser, stack):
    """By keyboard alone; a wrong key is told; the key lives as long as the tab."""
    visit = Visit(browser, stack, expected=[401]).open()
    visit.heading("Sign in")
    visit.check_accessible("sign-in")
    visit.picture("sign-in")
    visit.page.evaluate("location.hash = '#/place'")  # an address that is opened before its view may be seen
    visit.sign_in("wrong")
    visit.sees("this access key is not known")
    keyboard = visit.page.keyboard
    visit.page.get_by_label("Access key").focus()
    keyboard.press("Control+A")
    keyboard.type("clerk")
    keyboard.press("Enter")
    visit.heading("Place an order")
    visit.page.reload()
    visit.heading("Place an order")
    visit.sees("clerk", exact=True)
    visit.press("Sign out")
    visit.heading("Sign in")
    visit.close()


def case_other_tab_is_not_signed_in(browser, stack):
    first = Visit(browser, stack).open(key="clerk")
    first.heading("Place an order")
    second = first.context.new_page()
    second.goto(f"{first.base}/portal/")
    second.get_by_role("heading", name="Sign in").wait_for()
    first.close()


def case_typed_order(browser, stack):
    """What does not fit is told at its field, the mended order is followed until it is stored and mailed, and its mail arrives."""
    visit = Visit(browser, stack, expected=[422]).open(key="clerk")
    visit.heading("Place an order")
    visit.page.get_by_label("Mail address").fill("no address")
    place_one(visit, "a b")
    visit.sees("Something does not fit")
    for label in ("Order number", "Mail address"):
        field = visit.page.get_by_label(label)
        equal(field.get_attribute("aria-invalid"), "true", label)
        told = visit.page.locator(f"#{field.get_attribute('id')}-error").inner_text()
        check("has to match" in told, f"{label}: {told}")
    equal(visit.page.get_by_label("Customer").get_attribute("aria-invalid"), None, "a field that fits")
    check(visit.page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true", "the focus is at a fault")
    visit.check_accessible("an order that does not fit")
    visit.picture("order-does-not-fit")
    visit.page.get_by_label("Mail address").fill("ada@example.com")
    place_one(visit, "typed-1")
    visit.sees("Order typed-1 is accepted")
    visit.sees("version 1")
    visit.sees("to team@example.com")
    equal(visit.steps(), ["Accepted", "Stored: created", "Mailed"], "what became of it")
    visit.check_accessible("an accepted order")
    visit.picture("order-accepted")
    visit.page.get_by_role("link", name="See the order").click()
    visit.heading("Order typed-1")
    visit.sees("ada@example.com")
    visit.check_accessible("an order")
    visit.picture("order")
    visit.close()
    equal(stack.call("GET", "/v1/orders/typed-1")["total"], 9.95, "the stored total")
    wait_until("the order's mail", MAIL_S, lambda: any("typed-1" in mail for mail in stack.mails()), stack.alive)


@contextlib.contextmanager
def no_mail_gets_through(stack):
    """The mail server answers nobody meanwhile."""
    server = stack.processes["mail-sink"]
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


def case_outcome_as_it_happens(browser, stack):
    """Pending, stored, waiting for its mail, mailed: each is shown when it is so, and again on the order's page. Nothing is asked again
    and again: the question that is open when the mail goes out is answered then."""
    visit = Visit(browser, stack).open(key="clerk")
    visit.heading("Place an order")
    held, asked = [], []
    visit.page.on("request", lambda request: asked.append(request) if request.url.endswith(":journey") else None)
    visit.page.route("**/v1/requests/**", lambda route: held.append(route), times=1)
    with no_mail_gets_through(stack):
        place_one(visit, "live-1")
        visit.sees("Waiting for the store")
        wait_until("the question what became of it", STORED_S, lambda: visit.page.evaluate("1") and held, stack.alive)
        held[0].continue_()
        visit.sees("Waiting for its mail")
        equal(visit.steps(), ["Accepted", "Stored: created", "Waiting for its mail"], "before the mail")
        wait_until("a question that waits", STORED_S, lambda: visit.page.evaluate("1") and "if-none-match" in asked[-1].headers, stack.alive)
        equal(asked[-1].headers.get("prefer"), "wait=8", "Prefer")
    visit.sees("to team@example.com")
    equal(visit.steps(), ["Accepted", "Stored: created", "Mailed"], "after the mail")
    check(len(asked) <= JOURNEYS_MOST, f"journeys asked for until it was mailed: {[request.headers for request in asked]}")
    visit.page.get_by_role("link", name="See the order").click()
    visit.heading("Order live-1")
    visit.sees("to team@example.com")
    equal(visit.steps(), ["Accepted", "Stored: created", "Mailed"], "on the order's page")
    visit.close()


def case_lines_by_keyboard(browser, stack):
    """A second line is added, filled and sent without a mouse."""
    visit = Visit(browser, stack).open(key="clerk")
    visit.heading("Place an order")
    keyboard = visit.page.keyboard
    visit.page.get_by_label("Customer").focus()
    for text in ("grace", "", "keys-1", "SKU-1", "2", "0.10"):
        keyboard.press("Control+A")
        keyboard.type(text)
        keyboard.press("Tab")
    keyboard.press("Tab")  # past Remove
    keyboard.press("Enter")
    for text in ("SKU-2", "3", "0.20"):
        keyboard.press("Control+A")
        keyboard.type(text)
        keyboard.press("Tab")
    visit.sees("0.80")
    visit.page.get_by_label("Unit price").last.focus()
    keyboard.press("Enter")
    visit.sees("Order keys-1 is accepted")
    visit.sees("version 1")
    visit.close()
    items = stack.call("GET", "/v1/orders/keys-1")["items"]
    equal([(item["sku"], item["quantity"]) for item in items], [("SKU-1", 2), ("SKU-2", 3)], "the lines")


def case_name_taken(browser, stack):
    """A command that is accepted and then rejected: the reason is told, and what to do."""
    stack.call("PUT", "/v1/orders/taken-1", {"customerID": "ada", "total": 1})
    visit = Visit(browser, stack).open(key="clerk")
    visit.heading("Place an order")
    place_one(visit, "taken-1")
    visit.sees("Rejected")
    visit.sees("There is one of that name already")
    visit.picture("order-rejected")
    visit.close()


def case_left_early(browser, stack):
    """A view that is left while it waits for an answer leaves nothing behind."""
    visit = Visit(browser, stack).open(key="clerk")
    visit.heading("Place an order")
    held = []
    visit.page.route("**/v1/orders", lambda route: held.append(route), times=1)
    with visit.page.expect_request("**/v1/orders"):
        place_one(visit, "left-1")
    go(visit, "Subscriptions")
    visit.sees("Load again")
    held[0].abort()
    visit.close()


def case_journey(browser, stack):
    """Each command on an order with how it ended: made, rejected, changed, a dead letter, deleted."""
    order = {"customerID": "ada", "total": 1}
    stack.call("PUT", "/v1/orders/way-1", order)
    stack.call("PATCH", "/v1/orders/way-1", {"status": "PAID"})
    place = stack.told("POST", "/v1/orders", {"orderID": "way-1", **order})
    equal(place, 409, "the same order once more")
    equal(stack.told("PATCH", "/v1/orders/way-1", {"status": "NO SUCH"}), 422, "a status that there is not")
    visit = Visit(browser, stack).open("#/orders/way-1", key="clerk")
    visit.heading("Order way-1")
    visit.sees("Put aside as a dead letter")
    steps = [step for step in visit.steps() if step != "Mailed"]  # which comes when it comes
    ends = ["Stored: created", "Stored: changed", "Rejected", "Put aside as a dead letter"]
    equal(steps, [step for end in ends for step in ("Accepted", end)], "the way of the order")
    visit.sees("/status:")
    visit.check_accessible("a journey")
    visit.picture("journey")
    stack.call("DELETE", "/v1/orders/way-1")
    visit.press("Load again")
    visit.sees("Stored: deleted")
    visit.sees("There is no order of this name now")
    visit.close()


def spoil(stack, *keys):
    """Orders with a change that ends as a dead letter."""
    for key in keys:
        stack.call("PUT", f"/v1/orders/{key}", {"customerID": "ada", "total": 1})
        equal(stack.told("PATCH", f"/v1/orders/{key}", {"status": "<b>NO SUCH</b>"}), 422, "a status that there is not")


def letter_row(visit, key):
    return visit.page.get_by_role("region", name="Letters").get_by_role("row").filter(has=visit.page.get_by_role("cell", name=key, exact=True))


def case_dead_letters(browser, stack):
    """Grouped, looked at, mended and sent back one by one; a whole kind after a trial run."""
    spoil(stack, "lost-1", "lost-2", "lost-3")
    visit = Visit(browser, stack).open("#/dlq", key="keeper")
    visit.heading("Dead letters")
    visit.page.get_by_role("link", name="invalid: schema").wait_for()
    visit.check_accessible("dead letters")
    visit.picture("dead-letters")
    visit.page.get_by_role("link", name="invalid: schema").click()
    letter_row(visit, "lost-1").get_by_role("link").click()
    visit.heading("Dead letter orders.store.dlq/")
    visit.sees("/status")
    equal(visit.page.locator("main b").count(), 0, "elements out of a letter")
    visit.page.get_by_text("Headers", exact=True).first.click()
    visit.sees("weir-disposition")
    body = visit.page.get_by_label("Body", exact=True)
    body.fill('{"status": ')
    visit.press("See what would happen")
    visit.sees("The body is not JSON")
    body.fill('{"status": "PAID", "total": 7.50}')
    visit.press("See what would happen")
    visit.sees("1 letter would go back")
    visit.check_accessible("a dead letter")
    visit.picture("dead-letter")
    equal(stack.call("GET", "/v1/orders/lost-1").get("status"), None, "the order after a trial run")
    visit.press("Send 1 letter back")
    visit.sees("1 letter went back")
    wait_until("the mended order", STORED_S, lambda: stack.call("GET", "/v1/orders/lost-1").get("status") == "PAID", stack.alive)
    visit.page.go_back()
    letter_row(visit, "lost-1").get_by_text("sent back").wait_for()
    letter_row(visit, "lost-2").get_by_text("open").wait_for()
    visit.press("See what would happen")
    visit.page.get_by_text("would go back").wait_for()
    visit.sees("1 letter went back before")
    visit.picture("dead-letters-trial")
    visit.page.get_by_role("button", name=re.compile("^Send .* back$")).click()
    visit.sees("went back.")
    visit.page.get_by_role("region", name="Letters").get_by_role("button", name="Load again").click()
    letter_row(visit, "lost-2").get_by_text("sent back").first.wait_for()
    visit.check_accessible("letters of a kind")
    visit.check_fits("letters of a kind")
    visit.close()
    auditor = Visit(browser, stack, view=PHONE, dark=True).open("#/dlq", key="auditor")
    auditor.page.get_by_role("link", name="invalid: schema").click()
    letter_row(auditor, "lost-1").first.wait_for()
    equal(auditor.page.get_by_role("button", name="See what would happen").count(), 0, "a way back for who may only read")
    auditor.check_fits("letters of a kind, phone")
    letter_row(auditor, "lost-1").first.get_by_role("link").click()
    auditor.heading("Dead letter orders.store.dlq/")
    auditor.sees("/status")
    auditor.check_accessible("a dead letter, phone")
    auditor.check_fits("a dead letter, phone")
    auditor.picture("dead-letter-phone")
    auditor.close()


def case_hostile_text(browser, stack):
    """What a document holds is text, whatever it looks like."""
    evil = "<img src=x onerror=alert(1)><b>bold</b>"
    stack.call("PUT", "/v1/orders/evil-1", {"customerID": evil, "total": 1, "items": [{"sku": evil, "quantity": 1}]})
    visit = Visit(browser, stack).open("#/orders/evil-1", key="clerk")
    visit.heading("Order evil-1")
    visit.sees(evil)
    equal(visit.page.locator("main img, main b").count(), 0, "elements out of a document")
    visit.close()


def case_search_and_pages(browser, stack):
    for number in range(PAGE + 5):
        stack.call("PUT", f"/v1/orders/page-{number:02d}", {"customerID": "pat" if number % 3 else "quinn lee", "total": number}, wait_s=0)
    wait_until("the orders", STORED_S, lambda: len(stack.call("GET", "/v1/orders?customerID[prefix]=pat")["items"]) == 2 * (PAGE + 5) // 3, stack.alive)
    wait_until("the orders", STORED_S, lambda: len(stack.call("GET", "/v1/orders?customerID=quinn%20lee")["items"]) == (PAGE + 5) // 3, stack.alive)
    visit = Visit(browser, stack).open("#/orders", key="clerk")
    visit.heading("Orders")
    rows = visit.page.locator("tbody tr")
    visit.page.get_by_role("link", name="Next page").wait_for()
    equal(rows.count(), PAGE, "rows of a page")
    first = rows.first.inner_text()
    visit.check_accessible("orders")
    visit.picture("orders")
    visit.page.get_by_role("link", name="Next page").click()
    visit.page.get_by_role("link", name="First page").wait_for()
    check(rows.first.inner_text() != first, "another page")
    visit.page.go_back()
    visit.page.get_by_role("link", name="Next page").wait_for()
    equal(rows.first.inner_text(), first, "the first page again")
    visit.page.get_by_label("Search by").select_option("customerID")
    visit.page.get_by_role("textbox", name="begins with").fill("quinn l")
    visit.press("Search")
    visit.sees("Orders whose customerID begins with quinn l")
    equal(rows.count(), 10, "orders of quinn")
    visit.page.get_by_role("textbox", name="begins with").fill("nobody")
    visit.press("Search")
    visit.sees("No order is like this")
    visit.page.get_by_role("textbox", name="begins with").fill("qui")
    visit.page.get_by_role("textbox", name="begins with").press("Enter")
    visit.page.get_by_role("link", name="page-03").click()
    visit.heading("Order page-03")
    visit.close()


def case_changed_meanwhile(browser, stack):
    """A change on what somebody else has changed is refused and told, not written over it."""
    stack.call("PUT", "/v1/orders/twice-1", {"customerID": "ada", "total": 1, "status": "CREATED"})
    visit = Visit(browser, stack, expected=[412]).open("#/orders/twice-1", key="clerk")
    visit.heading("Order twice-1")
    visit.page.get_by_role("combobox", name="Status").wait_for()
    stack.call("PUT", "/v1/orders/twice-1", {"customerID": "ada", "total": 1, "status": "PAID"})
    visit.page.get_by_role("combobox", name="Status").select_option("CANCELLED")
    visit.press("Save")
    visit.sees("Somebody else has changed it in the meantime")
    visit.picture("changed-meanwhile")
    equal(stack.call("GET", "/v1/orders/twice-1")["status"], "PAID", "what the other one wrote")
    visit.press("Load again")
    visit.page.get_by_role("alert").wait_for(state="detached")
    visit.page.get_by_role("combobox", name="Status").select_option("SHIPPED")
    visit.press("Save")
    visit.sees("version 3")
    equal(stack.call("GET", "/v1/orders/twice-1")["status"], "SHIPPED", "the change after a look")
    visit.close()


def case_statuses(browser, stack):
    """An order that the inventory confirmed or rejected is shown as such, and each status of the schema can be chosen."""
    stack.call("PUT", "/v1/orders/stock-1", {"customerID": "ada", "total": 1, "status": "CONFIRMED"})
    visit = Visit(browser, stack).open("#/orders/stock-1", key="clerk")
    visit.heading("Order stock-1")
    status = visit.page.get_by_role("combobox", name="Status")
    status.wait_for()
    equal(status.input_value(), "CONFIRMED", "the status as it is")
    schema = json.loads((ROOT / "schemas" / "orders.schema.json").read_text())
    equal(sorted(status.locator("option").all_inner_texts()), sorted(schema["properties"]["status"]["enum"]), "what can be chosen")
    status.select_option("REJECTED")
    visit.press("Save")
    visit.sees("version 2")
    equal(stack.call("GET", "/v1/orders/stock-1")["status"], "REJECTED", "the stored status")
    visit.close()


def link_in(mails, address):
    """The confirming link of the mail to the address."""
    mail = next((mail for mail in mails if re.search(rf"^To:.*{re.escape(address)}", mail, re.M)), "")
    text = mail.replace("=\n", "").replace("=3D", "=")
    found = re.search(r"http://\S+:confirm\?\S+", text)
    return found and found.group(0)


def case_subscription(browser, stack):
    """Asked for here, confirmed by the mail's link, seen as confirmed, removed."""
    visit = Visit(browser, stack, expected=[422]).open("#/subscriptions", key="clerk")
    visit.heading("Subscriptions")
    visit.page.get_by_label("Mail address").fill("bob@example.com")
    visit.page.get_by_label("Only those that match").fill('{"after.status": "SHIPPED"}')
    visit.press("Subscribe")
    visit.sees("Something does not fit")
    equal(visit.page.get_by_label("Only those that match").get_attribute("aria-invalid"), "true", "the filter is marked")
    visit.page.get_by_label("Only those that match").fill('{"after.status": [')
    visit.press("Subscribe")
    visit.sees("The filter is not JSON")
    visit.page.get_by_label("Only those that match").fill('{"after.status": ["SHIPPED"]}')
    visit.press("Subscribe")
    visit.sees("A mail with a link has been asked for to bob@example.com")
    visit.sees("PENDING")
    visit.check_accessible("subscriptions")
    visit.picture("subscriptions")
    link = wait_until("the mail with the link", MAIL_S, lambda: link_in(stack.mails(), "bob@example.com"), stack.alive)
    urllib.request.urlopen(urllib.request.Request(link, b"", method="POST"), timeout=20).close()
    wait_until("the confirmation", MAIL_S, lambda: subscription_status(stack) == "CONFIRMED", stack.alive)
    visit.press("Load again")
    visit.sees("CONFIRMED")
    visit.press("Remove the subscription of bob@example.com")
    visit.sees("There are none yet")
    visit.close()


def subscription_status(stack):
    found = stack.call("GET", "/v1/subscriptions")["items"]
    return found[0]["status"] if found else None


def case_scopes(browser, stack):
    """Who may only read orders sees nothing else."""
    visit = Visit(browser, stack).open(key="reader")
    visit.heading("Orders")
    equal(visit.page.get_by_role("navigation").get_by_role("link").all_inner_texts(), ["Orders"], "views of a reader")
    visit.close()


def fail_with(status):
    """What a gateway answers that has its hands full; 0: nothing at all."""
    problem = {"title": "x", "status": status, "detail": "on purpose", "request_id": "r-1"}
    headers = {"Retry-After": "3", "Content-Type": "application/problem+json"}
    if status == 0:
        return lambda route: route.abort()
    return lambda route: route.fulfill(status=status, headers=headers, body=json.dumps(problem))


def case_unknown_order(browser, stack):
    """There is none of that name; or the store has not got it yet, and the tab that placed it says what it knows."""
    visit = Visit(browser, stack, expected=[404]).open("#/orders/nosuch", key="clerk")
    visit.heading("Order nosuch")
    visit.sees("There is nothing of that name")
    go(visit, "Place an order")
    place_one(visit, "early-1")
    visit.sees("Order early-1 is accepted")
    visit.page.route("**/v1/orders/early-1:journey", fail_with(404), times=1)
    visit.page.get_by_role("link", name="See the order").click()
    visit.heading("Order early-1")
    visit.sees("Stored: created")
    visit.sees("customerID")
    visit.close()


TROUBLES = {
    429: "That was too much at a time",
    503: "The service is busy or restarting",
    504: "It is not known whether this was done",
    409: "This cannot be done as things stand",
}


def case_troubles(browser, stack):
    """Each in plain words; what is sent again is the same command."""
    visit = Visit(browser, stack, expected=TROUBLES).open(key="clerk")
    visit.heading("Place an order")
    keys = []
    for status, words in TROUBLES.items():
        visit.page.route("**/v1/orders", fail_with(status), times=1)
        visit.page.once("request", lambda request: keys.append(request.headers.get("idempotency-key")))
        place_one(visit, "again-1")
        visit.sees(words)
    visit.sees("in 3 s")
    visit.picture("trouble")
    visit.check_accessible("a trouble")
    visit.page.once("request", lambda request: keys.append(request.headers.get("idempotency-key")))
    visit.press("Place the order")
    visit.sees("Order again-1 is accepted")
    equal(len(set(keys)), 1, f"Idempotency-Keys of one order: {keys}")
    check(None not in keys, "it has one")
    visit.close()


def case_unreachable(browser, stack):
    visit = Visit(browser, stack).open("#/orders", key="clerk")
    visit.heading("Orders")
    visit.page.get_by_role("button", name="Search").wait_for()
    visit.page.route("**/v1/orders?**", fail_with(0), times=1)
    visit.page.evaluate("location.hash = '#/orders?sort=desc'")
    visit.sees("The gateway was not reached")
    visit.faults = [fault for fault in visit.faults if "ERR_FAILED" not in fault]
    visit.press("Try again")
    visit.page.get_by_role("button", name="Search").wait_for()
    visit.close()


def case_phone_and_dark(browser, stack):
    """Every view on a small screen and in the dark: nothing serious for axe, nothing beyond the width."""
    stack.call("PUT", "/v1/orders/look-1", {"customerID": "ada-" + "x" * 60, "total": 1, "items": [{"sku": "S" * 80, "quantity": 1}]})
    for name, view, dark in (("phone", PHONE, False), ("phone-dark", PHONE, True), ("dark", DESK, True)):
        visit = Visit(browser, stack, view=view, dark=dark).open()
        visit.heading("Sign in")
        visit.check_accessible(f"sign-in, {name}")
        visit.sign_in("clerk")
        for address, title in (("place", "Place an order"), ("orders", "Orders"), ("orders/look-1", "Order look-1"), ("subscriptions", "Subscriptions")):
            visit.page.evaluate(f"location.hash = '#/{address}'")
            visit.heading(title)
            visit.page.locator("main [aria-busy]").wait_for(state="detached", timeout=ACTION_MS)
            visit.check_accessible(f"{title}, {name}")
            visit.check_fits(f"{title}, {name}")
            visit.picture(f"{name}-{address.replace('/', '-')}")
        visit.close()


PRODUCTS = {
    "SKU-1": {"name": "Field notebook", "price": 7.5, "currency": "EUR", "stock": 120},
    "SKU-2": {"name": "Fountain pen", "price": 34, "currency": "EUR", "stock": 12},
    "SKU-3": {"name": "Ink, blue-black", "price": 9.9, "currency": "EUR", "stock": 48},
}


def case_products(browser, stack):
    """From here on there are products. Their stock is told by the change feed, without being asked for; a quantity that does not fit
    is told at its product."""
    for sku, product in PRODUCTS.items():
        stack.call("PUT", f"/v1/products/{sku}", product)
    visit = Visit(browser, stack, expected=[422]).open(key="clerk")
    visit.heading("Place an order")
    row = visit.page.get_by_role("row", name="Fountain pen")
    row.get_by_text("12", exact=True).wait_for()
    visit.sees("The stock is live")
    asked = []
    visit.page.on("request", lambda request: asked.append(request.url))
    stack.call("POST", "/v1/products/SKU-2:adjust", {"stock": -5})
    row.get_by_text("7", exact=True).wait_for()
    equal(asked, [], "requests until the new stock was shown")
    visit.press("Place the order")
    visit.page.get_by_label("Customer").fill("ada")
    visit.press("Place the order")
    visit.sees("An order has at least one article")
    visit.page.get_by_label("Quantity of Fountain pen").fill("2000000000")
    visit.press("Place the order")
    visit.sees("Something does not fit")
    equal(visit.page.get_by_label("Quantity of Fountain pen").get_attribute("aria-invalid"), "true", "the quantity is marked")
    visit.page.get_by_label("Quantity of Fountain pen").fill("2")
    visit.page.get_by_label("Quantity of Ink, blue-black").fill("3")
    visit.sees("97.70 EUR")
    visit.check_accessible("products")
    visit.picture("products")
    visit.page.get_by_label("Order number").fill("goods-1")
    visit.press("Place the order")
    visit.sees("version 1")
    visit.close()
    order = stack.call("GET", "/v1/orders/goods-1")
    equal((order["total"], order["currency"]), (97.7, "EUR"), "total")
    equal([item["sku"] for item in order["items"]], ["SKU-2", "SKU-3"], "articles")


def feed_is_off(route):
    reply = route.fetch()
    route.fulfill(response=reply, json={**reply.json(), "feed": False})


def case_stock_without_feed(browser, stack):
    """Where there is no change feed the stock is asked for again."""
    visit = Visit(browser, stack).open()
    visit.page.route("**/portal/session", feed_is_off)
    asked = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.sign_in("clerk")
    row = visit.page.get_by_role("row", name="Field notebook")
    row.get_by_text("120", exact=True).wait_for()
    stack.call("POST", "/v1/products/SKU-1:adjust", {"stock": 3})
    row.get_by_text("123", exact=True).wait_for()
    visit.sees("Stock as of")
    equal([url for url in asked if ":changes" in url], [], "requests for a feed that is not there")
    visit.close()


def case_stock_after_an_interruption(browser, stack):
    """A feed that ends is asked for again, and the stock is read in between."""
    visit = Visit(browser, stack, expected=[503]).open()
    visit.page.route("**/v1/products:changes", fail_with(503), times=1)
    visit.sign_in("clerk")
    visit.sees("Stock as of")
    visit.sees("The stock is live")
    stack.call("POST", "/v1/products/SKU-3:adjust", {"stock": -8})
    visit.page.get_by_role("row", name="Ink, blue-black").get_by_text("40", exact=True).wait_for()
    visit.close()


SMOKE = ("sign_in", "typed_order", "outcome_as_it_happens", "search_and_pages", "products")
FLOWS = {name[5:]: value for name, value in list(globals().items()) if name.startswith("case_")}
