"""The README's picture of the portal."""
import cases
from stage import Visit, chromium, shop

VIEW = {"width": 820, "height": 690}


def take(path):
    with shop() as stack, chromium() as browser:
        for sku, product in cases.PRODUCTS.items():
            stack.call("PUT", f"/v1/products/{sku}", product)
        visit = Visit(browser, stack, view=VIEW).open(key="clerk")
        visit.heading("Place an order")
        visit.page.get_by_label("Customer").fill("ada")
        visit.page.get_by_label("Quantity of Fountain pen").fill("2")
        visit.page.get_by_label("Quantity of Ink, blue-black").fill("3")
        visit.sees("97.70 EUR")
        visit.sees("The stock is live")
        visit.page.screenshot(path=path)
        visit.close()
