"""Terraform's plugin protocol 5 on the wire: the messages that this provider reads and writes.

The field numbers are facts of the protocol (`tfplugin5.proto` of hashicorp/terraform). Only the
fields that are used here are named; protobuf skips the others. The messages are built from the
table when the module loads, so no generated code has to be kept.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "tfplugin5.Provider"

# One message a line: `name:type=number`, `*` before the name for a repeated field. A map field is
# a repeated Entry on the wire. The syntax is proto2: in a `oneof` (a step of a path, say) a
# number 0 that was set must be written.
_MESSAGES = """
Empty
DynamicValue        msgpack:bytes=1 json:bytes=2
Step                attribute_name:string=1 element_key_string:string=2 element_key_int:int64=3
AttributePath       *steps:Step=1
Diagnostic          severity:int32=1 summary:string=2 detail:string=3 attribute:AttributePath=4
RawState            json:bytes=1
Attribute           name:string=1 type:bytes=2 description:string=3 required:bool=4 \
optional:bool=5 computed:bool=6 sensitive:bool=7 description_kind:int32=8 deprecated:bool=9 \
write_only:bool=10
NestedBlock         type_name:string=1 block:Block=2 nesting:int32=3 min_items:int64=4 \
max_items:int64=5
Block               version:int64=1 *attributes:Attribute=2 *block_types:NestedBlock=3
Schema              version:int64=1 block:Block=2
SchemaEntry         key:string=1 value:Schema=2
Capabilities        plan_destroy:bool=1 get_provider_schema_optional:bool=2
SchemaResponse      provider:Schema=1 *resource_schemas:SchemaEntry=2 *diagnostics:Diagnostic=4 \
server_capabilities:Capabilities=6
PrepareRequest      config:DynamicValue=1
PrepareResponse     prepared_config:DynamicValue=1 *diagnostics:Diagnostic=2
ValidateRequest     type_name:string=1 config:DynamicValue=2
DiagnosticsResponse *diagnostics:Diagnostic=1
UpgradeRequest      type_name:string=1 version:int64=2 raw_state:RawState=3
UpgradeResponse     upgraded_state:DynamicValue=1 *diagnostics:Diagnostic=2
ConfigureRequest    terraform_version:string=1 config:DynamicValue=2
ReadRequest         type_name:string=1 current_state:DynamicValue=2 private:bytes=3
ReadResponse        new_state:DynamicValue=1 *diagnostics:Diagnostic=2 private:bytes=3
PlanRequest         type_name:string=1 prior_state:DynamicValue=2 \
proposed_new_state:DynamicValue=3 config:DynamicValue=4 prior_private:bytes=5
PlanResponse        planned_state:DynamicValue=1 *requires_replace:AttributePath=2 \
planned_private:bytes=3 *diagnostics:Diagnostic=4 legacy_type_system:bool=5
ApplyRequest        type_name:string=1 prior_state:DynamicValue=2 planned_state:DynamicValue=3 \
config:DynamicValue=4 planned_private:bytes=5
ApplyResponse       new_state:DynamicValue=1 private:bytes=2 *diagnostics:Diagnostic=3 \
legacy_type_system:bool=4
ImportRequest       type_name:string=1 id:string=2
Imported            type_name:string=1 state:DynamicValue=2 private:bytes=3
ImportResponse      *imported_resources:Imported=1 *diagnostics:Diagnostic=2
FunctionsResponse   *diagnostics:Diagnostic=2
StopResponse        Error:string=1
"""

# Method of the service -> its request and its response.
METHODS = {
    "GetSchema": ("Empty", "SchemaResponse"),
    "PrepareProviderConfig": ("PrepareRequest", "PrepareResponse"),
    "ValidateResourceTypeConfig": ("ValidateRequest", "DiagnosticsResponse"),
    "UpgradeResourceState": ("UpgradeRequest", "UpgradeResponse"),
    "Configure": ("ConfigureRequest", "DiagnosticsResponse"),
    "ReadResource": ("ReadRequest", "ReadResponse"),
    "PlanResourceChange": ("PlanRequest", "PlanResponse"),
    "ApplyResourceChange": ("ApplyRequest", "ApplyResponse"),
    "ImportResourceState": ("ImportRequest", "ImportResponse"),
    "GetFunctions": ("Empty", "FunctionsResponse"),
    "Stop": ("Empty", "StopResponse"),
}

_FIELD = re.compile(r"(\*?)(\w+):(\w+)=(\d+)")


def _build() -> dict[str, Any]:
    proto = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "string": proto.TYPE_STRING,
        "bytes": proto.TYPE_BYTES,
        "bool": proto.TYPE_BOOL,
        "int32": proto.TYPE_INT32,
        "int64": proto.TYPE_INT64,
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="localcloud/tfplugin5.proto", package="localcloud.tfplugin5", syntax="proto2"
    )
    for line in _MESSAGES.strip().splitlines():
        message = file.message_type.add(name=line.split()[0])
        for repeated, name, kind, number in _FIELD.findall(line):
            field = message.field.add(name=name, number=int(number))
            field.label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
            field.type = scalars.get(kind, proto.TYPE_MESSAGE)
            if kind not in scalars:
                field.type_name = f".{file.package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{file.package}.{message.name}")
        )
        for message in file.message_type
    }


# Message name -> its class: `MESSAGES["Diagnostic"](severity=1, summary="…")`.
MESSAGES: dict[str, Any] = _build()
