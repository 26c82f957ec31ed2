"""The words of one operator's value in a match: literals, and the names of the policy's lists."""

from __future__ import annotations

from collections.abc import Callable

from middlebox.ability import Network
from middlebox.grammar.entries import Entries, host_name
from middlebox.grammar.headers import address, network
from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import Context, Mismatch, Refused
from middlebox.grammar.source import Form, Node, Scalar, Sequence


class Operands:
    """The words of one operator's value, each a list's name or a literal."""

    def __init__(self, node: Node, context: Context, field: str) -> None:
        self.items = node.items if isinstance(node, Sequence) else (node,)
        self.context = context
        self.field = field
        self.lists: list[Entries] = []
        self.literals: list[Scalar] = []
        if not self.items:
            raise context.refuse(node.place, str(node), f"at least one value for '{field}'")
        good = True
        for item in self.items:
            if not isinstance(item, Scalar) or (item.form is Form.NOTHING and not item.quoted):
                context.refuse(item.place, str(item), f"a value for '{field}', or the name of a list")
                good = False
            elif item.text in context.broken_lists:
                good = False  # it has been said what is wrong with that list
            elif item.text in context.lists:
                found = context.lists[item.text]
                found.used = True
                self.lists.append(found)
            else:
                self.literals.append(item)
        if not good:
            raise Refused

    def unknown(self, item: Scalar, expected: str, hint: str = "") -> Refused:
        like = near(item.text, self.context.lists)
        return self.context.refuse(item.place, f"{item} for '{self.field}'", expected, hint or like)

    def each(self, make: Callable[[Scalar], object]) -> list[object]:
        made: list[object] = []
        good = True
        for item in self.literals:
            try:
                made.append(make(item))
            except Refused:
                good = False
        if not good:
            raise Refused
        return made

    def texts(self) -> list[str]:
        every = [text for entries in self.lists for text in entries.texts]
        return every + [item.text for item in self.literals]

    def names(self) -> frozenset[str]:
        """Host names."""

        def name(item: Scalar) -> str:
            if address(item.text) is not None:
                raise self.unknown(item, "a host name", "an address is matched with server.ip, dst.ip or any.ip")
            if "." not in item.text:
                like = near(item.text, self.context.lists)
                if not like:
                    there = f"the lists are {listed(self.context.lists, 'and')}" if self.context.lists else ""
                    like = f"{there or 'this policy has no lists'} (a top-level domain has its dot: '{item.text}.')"
                raise self.context.refuse(
                    item.place,
                    f"{item} for '{self.field}': there is no list of that name",
                    "a name with a dot, or the name of a list",
                    like,
                )
            try:
                return host_name(item.text)
            except Mismatch as error:
                raise self.unknown(item, "a host name", str(error)) from None

        literals = self.each(name)
        every = [one for entries in self.lists for one in entries.names(self.context)]
        return frozenset(every).union(str(one) for one in literals)

    def networks(self) -> tuple[Network, ...]:
        def one(item: Scalar) -> Network:
            try:
                return network(item.text)
            except Mismatch as error:
                raise self.unknown(item, "a network such as 203.0.113.0/24, or a list's name", str(error)) from None

        literals = [made for made in self.each(one) if made is not None]
        every: list[Network] = [made for entries in self.lists for made in entries.networks(self.context)]
        return (*every, *literals)  # type: ignore[arg-type]
