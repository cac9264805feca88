-- Trips and revenue of each month *file*, by the zone of the pickup. Incremental by source_month:
-- a month is made again when the ledger has a newer load of it than this table. A stray pickup of
-- 2008 in the file of 2019-01 belongs to 2019-01: it makes no month of its own, and stops none.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['taxi', 'source_month', 'location_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    pre_hook="{{ forget_stale_months() }}"
) }}

select
    trips.taxi as taxi,
    trips.source_month as source_month,
    coalesce(trips.pickup_location_id, 'none') as location_id,
    coalesce(max(zones.zone), 'unknown') as zone,
    coalesce(max(zones.borough), 'unknown') as borough,
    cast(count(*) as {{ dbt.type_int() }}) as trips,
    sum(trips.total_amount) as revenue,
    max(loads.loaded_at) as loaded_at
from {{ ref('stg_trips') }} as trips
join {{ ref('stg_loads') }} as loads
    on loads.taxi = trips.taxi and loads.source_month = trips.source_month
left join {{ ref('dim_zones') }} as zones on zones.location_id = trips.pickup_location_id
{% if is_incremental() %}
where not exists (
    select 1 from {{ this }} as made
    where made.taxi = trips.taxi and made.source_month = trips.source_month
)
{% endif %}
group by 1, 2, 3
