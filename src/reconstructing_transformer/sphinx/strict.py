"""A warning is a failure: of this build, and of the next, until its cause is gone."""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def _placed(node: nodes.Element) -> nodes.Element:
    """Return the node, or the nearest one around it, that knows its line."""
    around = node
    while not around.line and around.parent is not None:  # MyST gives an image in a line of text the line 0
        around = around.parent
    return around if around.line else node


class AlternativeText(SphinxPostTransform):
    """Warns of each image without alternative text: who cannot see the figure would not know that there is one."""

    default_priority = 5

    def run(self, **_: object) -> None:
        """Look at the page's images."""
        for image in self.document.findall(nodes.image):
            if not image.get("alt", "").strip():
                LOGGER.warning(
                    "image without alternative text: %s; say in `alt` what it shows",
                    image.get("uri", "?"),
                    location=_placed(image),
                )


def fail_on_warnings(app: Sphinx, error: Exception | None) -> None:
    """Let a build that warned fail, and forget its pages, so that the next one reads them again and warns again.

    Sphinx reports most warnings only while it reads a page; without this a second run over the same broken book would
    be silent and succeed.
    """
    if error is None and (app._warncount == 0 or not app.config.reconstruct_strict):
        return
    (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)
    if error is None:
        app.statuscode = 1
        LOGGER.error("the book is not clean: %d warning(s), listed above; each must go", app._warncount)
