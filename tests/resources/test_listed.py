"""Every model with pages can be imported from CSV, or it is said why not."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models import Tenant
from ai.resources.listed import RESOURCES, WITHOUT
from tests.admin import world


class TestListed:
    def test_every_model_with_pages_is_in_one_of_the_lists(self) -> None:
        assert set(RESOURCES) | set(WITHOUT) == set(world.ai_pages())
        assert not set(RESOURCES) & set(WITHOUT)

    @pytest.mark.parametrize("model", [*RESOURCES, *WITHOUT])
    def test_those_that_can_be_imported_have_the_pages_and_both_permissions(self, model: Any) -> None:
        name = model._meta.model_name
        addresses = {pattern.name for pattern in world.ai_pages()[model].get_urls()}
        permissions = {codename for codename, _ in model._meta.permissions}

        imports = {f"ai_{name}_import_csv", f"ai_{name}_process_import"}
        pages = imports | {f"ai_{name}_export"}
        assert pages <= addresses if model in RESOURCES else not imports & addresses
        assert ({f"import_{name}", f"export_{name}"} <= permissions) is (model in RESOURCES)

    @pytest.mark.parametrize("model", RESOURCES)
    def test_a_resource_is_of_its_model(self, model: Any) -> None:
        assert RESOURCES[model]._meta.model is model

    def test_no_column_holds_a_secret(self) -> None:
        columns = {column.attribute for resource in RESOURCES.values() for column in resource.table.columns}

        assert [name for name in columns if "encrypted" in name or name.endswith(("_key", "digest", "secret"))] == []

    def test_names_what_is_no_tenants(self) -> None:
        of_none = {model for model in RESOURCES if not hasattr(model, "tenant_id")}

        assert {model.__name__ for model in of_none} == {Tenant.__name__, "LanguageModel"}
