-- Every month that is loaded is in the mart, with exactly its rows and its sum.
with mart as (
    select taxi, source_month, sum(trips) as trips, sum(revenue) as revenue
    from {{ ref('monthly_zone_revenue') }}
    group by 1, 2
)

select loads.taxi, loads.source_month, loads.trips, mart.trips as found
from {{ ref('stg_loads') }} as loads
left join mart on mart.taxi = loads.taxi and mart.source_month = loads.source_month
where mart.trips is null
   or mart.trips <> loads.trips
   or mart.revenue <> loads.total_amount
