{#- Takes the months out of the table whose load is not the one that they were made from. -#}
{% macro forget_stale_months() %}
{% if is_incremental() %}
delete from {{ this }} as made
where not exists (
    select 1 from {{ ref('stg_loads') }} as loads
    where loads.taxi = made.taxi
      and loads.source_month = made.source_month
      and loads.loaded_at = made.loaded_at
)
{% endif %}
{% endmacro %}
