"""`/scim/v2`: what this SCIM service can do, and what its resources look like (RFC 7644, 4)."""

from typing import Any

from fastapi import APIRouter

from kbcore.errors import NotFound
from services.api.dependencies import CallerDep
from services.api.schemas.scim import Resource, list_response, resource_types, schemas, service_provider_config
from services.api.scim import PREFIX, BaseDep, ScimResponse, scim_errors

router = APIRouter(prefix=PREFIX, tags=["scim"], default_response_class=ScimResponse)


@router.get("/ServiceProviderConfig", summary="SCIM: what this service can do", responses=scim_errors())
def read_config(base: BaseDep, _caller: CallerDep) -> Resource:
    """PATCH and filters with `eq`; no bulk, sort, passwords or ETags. Administrators only."""
    return Resource(service_provider_config(base))


@router.get("/ResourceTypes", summary="SCIM: kinds of resources", responses=scim_errors())
def list_resource_types(base: BaseDep, _caller: CallerDep) -> Resource:
    """User and Group. Administrators only."""
    return _all(resource_types(base))


@router.get("/ResourceTypes/{name}", summary="SCIM: a kind of resource", responses=scim_errors(404))
def read_resource_type(name: str, base: BaseDep, _caller: CallerDep) -> Resource:
    """`User` or `Group`. Administrators only."""
    return _one(resource_types(base), name)


@router.get("/Schemas", summary="SCIM: attributes of resources", responses=scim_errors())
def list_schemas(base: BaseDep, _caller: CallerDep) -> Resource:
    """The attributes that are kept; others are passed over. Administrators only."""
    return _all(schemas(base))


@router.get("/Schemas/{schema}", summary="SCIM: attributes of a kind of resource", responses=scim_errors(404))
def read_schema(schema: str, base: BaseDep, _caller: CallerDep) -> Resource:
    """By its URN. Administrators only."""
    return _one(schemas(base), schema)


def _all(found: list[dict[str, Any]]) -> Resource:
    return Resource(list_response(len(found), 1, found))


def _one(found: list[dict[str, Any]], wanted: str) -> Resource:
    for each in found:
        if each["id"] == wanted:
            return Resource(each)
    raise NotFound("schema")
