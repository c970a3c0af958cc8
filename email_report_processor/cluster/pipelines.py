"""Ingest pipeline for the country and network of the sending host, as requests. Pure: nothing is sent.

`ip2geo` is a processor of the plugin opensearch-geospatial (2.10 and later), which fetches the tables itself. Its
results become the very fields of the offline look-ups, and are not asked for where those are there already, so that
one set of dashboards serves both. Nothing here fails a document. Checked against opensearch-project/geospatial
(2026-06): RestPutDatasourceHandler.java, PutDatasourceRequest.java, GetDatasourceResponse.java, Ip2GeoProcessor.java.
"""

from collections.abc import Mapping
from typing import Any

from ..stores.templates import Request, base_name

VERSION = 1  # of the pipeline: a newer one installed is left alone
DATASOURCES = "/_plugins/geospatial/ip2geo/datasource"

# What a datasource is for -> where OpenSearch offers it: MaxMind's GeoLite2, CC BY-SA 4.0.
_ENDPOINT = "https://geoip.maps.opensearch.org/v1/geolite2-{}/manifest.json"
ENDPOINTS = {kind: _ENDPOINT.format(kind) for kind in ("city", "asn")}
_DAYS = 3  # between two updates; they expire after 30
_SCRATCH = "ip2geo"  # where the processor puts its results, until they are renamed


def pipeline_name(prefix: str) -> str:
    """Name of the pipeline, for [opensearch] pipelines."""
    return f"{base_name(prefix)}-geo"


def pipeline_path(prefix: str) -> str:
    """Where the pipeline stands."""
    return f"/_ingest/pipeline/{pipeline_name(prefix)}"


def datasource(prefix: str, kind: str) -> Request:
    """Make a datasource; OpenSearch refuses the name of one that is there."""
    body = {"endpoint": ENDPOINTS[kind], "update_interval_in_days": _DAYS}
    return Request("PUT", f"{DATASOURCES}/{base_name(prefix)}-{kind}", body)


def datasources_of(answer: Any) -> dict[str, tuple[str, str]]:
    """Kind -> (name, state) of the datasources that are there, whoever made them: one serves every prefix."""
    kinds = {endpoint: kind for kind, endpoint in ENDPOINTS.items()}
    found = answer.get("datasources", ()) if isinstance(answer, dict) else ()
    return {
        kinds[one["endpoint"]]: (one["name"], str(one.get("state", "")))
        for one in found
        if isinstance(one, dict) and one.get("endpoint") in kinds
    }


def put(prefix: str, names: Mapping[str, str]) -> Request:
    """Make the pipeline, or change it. names: kind -> datasource."""
    steps = [
        _look_up("geo", names["city"], ["country_iso_code", "location"]),
        _rename("geo.country_iso_code", "source.geo.country_iso_code"),
        _rename("geo.location", "source.geo.location"),
        _look_up("as", names["asn"], ["asn", "organization_name"]),
        _step("convert", field=f"{_SCRATCH}.as.asn", target_field="source.as.number", type="long"),
        _rename("as.organization_name", "source.as.organization.name"),
        _step("remove", field=_SCRATCH),
    ]
    description = "email-report-processor: country and network of the sending host"
    return Request("PUT", pipeline_path(prefix), {"description": description, "version": VERSION, "processors": steps})


def _look_up(what: str, datasource: str, properties: list[str]) -> dict[str, Any]:
    """Data older than 30 days put `{"error": "ip2geo_data_expired"}` there; `remove` takes it away."""
    condition = f"ctx.source?.ip != null && ctx.source.{what} == null"
    more = {"if": condition, "datasource": datasource, "properties": properties}
    return _step("ip2geo", field="source.ip", target_field=f"{_SCRATCH}.{what}", **more)


def _rename(field: str, target: str) -> dict[str, Any]:
    return _step("rename", field=f"{_SCRATCH}.{field}", target_field=target)


def _step(processor: str, **config: Any) -> dict[str, Any]:
    return {processor: {**config, "ignore_missing": True, "ignore_failure": True}}
