"""A sheet as a reader of its tags sees it."""

import html.parser


class Page(html.parser.HTMLParser):
    """What is on a page: the tags, the texts by tag, the pictures."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.images, self.addresses = [], {}, [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.addresses += [value for name, value in given.items() if name in ("src", "href")]
        if tag == "img":
            self.images.append(given)
        if tag not in ("img", "meta", "span"):  # a span is part of the text around it
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert tag == "span" or self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open[-1:]:
            self.texts[tag][-1] += data


def page_of(folder):
    return Page((folder / "flow.html").read_text(encoding="utf-8"))
