"""What all command lines share."""

from dataclasses import replace

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo, UnsupportedTypeAnnotationError


def shown_defaults() -> ConstructorRegistry:
    """Rules of tyro, as a context: `--help` says "default: none" of an option whose default is an
    empty text or list."""
    registry = ConstructorRegistry()
    asked: list[PrimitiveTypeInfo] = []

    @registry.primitive_rule
    def none_if_empty(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | UnsupportedTypeAnnotationError | None:
        if any(kind is other for other in asked):
            return None  # the next rule, which is tyro's own
        asked.append(kind)
        made = ConstructorRegistry.get_primitive_spec(kind)
        asked.pop()
        if isinstance(made, UnsupportedTypeAnnotationError):
            return made
        return replace(made, str_from_instance=lambda value: [*filter(None, made.str_from_instance(value))] or ["none"])

    return registry
