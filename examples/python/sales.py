"""Functions for the `callable` tasks of sales.yaml; they know nothing of orch."""
import csv
import io

DATA = "shop,amount\nnorth,120.50\nsouth,310\nnorth,79.50\n"


def extract(day):
    return [{"day": day, "shop": row["shop"], "amount": float(row["amount"])} for row in csv.DictReader(io.StringIO(DATA))]


async def report(day, totals):
    lines = [f"{total['shop']}: {total['amount']:.2f}" for total in totals]
    print(*lines, sep="\n")
    return {"day": day, "report": lines}
