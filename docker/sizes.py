"""Keep how large an image is, in docker/sizes.json and in docker/README.md: `sizes.py IMAGE BYTES …`."""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACE = re.compile(r"(<!-- sizes -->\n).*?(<!-- /sizes -->)", re.DOTALL)


def table(sizes: dict[str, int]) -> str:
    """The sizes as Markdown, the smallest first.

    Args:
        sizes: bytes by image.
    """
    rows = [f"| `{image}` | {size / 1e9:.2f} GB |" for image, size in sorted(sizes.items(), key=lambda item: item[1])]
    return "\n".join(["| image | size |", "|---|---:|", *rows]) + "\n"


def main(given: list[str]) -> None:
    """Keep the sizes that are given, and write the table anew."""
    kept, page = HERE / "sizes.json", HERE / "README.md"
    sizes = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    sizes |= {image: int(size) for image, size in zip(given[::2], given[1::2], strict=True)}
    kept.write_text(json.dumps(dict(sorted(sizes.items())), indent=2) + "\n", encoding="utf-8")
    text = PLACE.sub(lambda found: found[1] + table(sizes) + found[2], page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
