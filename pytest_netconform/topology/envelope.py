"""A topology as it is declared, as pydantic models."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from pytest_netconform.models import Model

Several = str | list[str]


class RouteModel(Model):
    """A route of a node; *via* is an address, or the name of a neighbour; several share the load."""

    dst: str
    via: Several | None = None
    dev: str | None = None
    type: str = "unicast"
    table: int | str | None = None
    metric: int | None = None
    src: str | None = None
    mtu: int | None = None
    onlink: bool = False
    family: Literal["inet", "inet6"] | None = None


class RuleModel(Model):
    """A routing rule of a node."""

    model_config = ConfigDict(populate_by_name=False)

    action: str = "lookup"
    table: int | str | None = None
    priority: int | None = None
    source: str | None = Field(default=None, alias="from")
    to: str | None = None
    iif: str | None = None
    oif: str | None = None
    fwmark: int | None = None
    fwmask: int | None = None
    inverted: bool = Field(default=False, alias="not")
    family: Literal["inet", "inet6"] | None = None


class NeighModel(Model):
    """A permanent neighbour of a node."""

    dst: str
    lladdr: str
    dev: str


class NodeModel(Model):
    """A node, or a bare network namespace; *uplinks* are neighbours to have default routes by, in order.

    Shape: *addrs* are those of devices that no link makes, of which there is one, lo.
    """

    kind: Literal["node", "netns"] = "node"
    uplinks: list[str] = []
    routes: list[RouteModel] = []
    rules: list[RuleModel] = []
    neighs: list[NeighModel] = []
    addrs: dict[Literal["lo"], Several] = {}
    sysctl: dict[str, str | int | bool] = {}


class EndModel(Model):
    """An end of a link."""

    dev: str | None = None
    addr: Several | None = None


class LinkModel(Model):
    """What joins nodes: a veth pair for two, a bridge in a namespace of its own for more."""

    subnet: Several = []
    mtu: int | None = Field(default=None, ge=68, le=65535)
    bridge: bool = False
    ends: list[str] | dict[str, str | EndModel | None]


class TopologyModel(Model):
    """A topology file."""

    topology: str
    title: str = ""
    nodes: list[str] | dict[str, NodeModel | None]
    links: dict[str, LinkModel] = {}
