"""``python -m parity_tests.divergences`` writes everything that is made of the catalogue."""

from parity_tests.divergences import pages


def main() -> None:
    made = pages.files()
    for path in (pages.ROOT / pages.SCRIPTS).glob("*.py"):
        if str(path.relative_to(pages.ROOT)) not in made:
            path.unlink()
    for name, text in made.items():
        path = pages.ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
