-- Yellow and green as one, in one spelling; every row of the months that are loaded, strays too.
{% set pickup = {'yellow': 'tpep_pickup_datetime', 'green': 'lpep_pickup_datetime'} %}
{% set dropoff = {'yellow': 'tpep_dropoff_datetime', 'green': 'lpep_dropoff_datetime'} %}
{% for taxi in ['yellow', 'green'] %}
select
    unique_row_id as trip_id,
    '{{ taxi }}' as taxi,
    source_month,
    {{ pickup[taxi] }} as pickup_at,
    {{ dropoff[taxi] }} as dropoff_at,
    PULocationID as pickup_location_id,
    DOLocationID as dropoff_location_id,
    passenger_count,
    cast(trip_distance as numeric) as trip_distance,
    cast(total_amount as numeric) as total_amount
from {{ source('trips', taxi ~ '_tripdata') }}
{{ 'union all' if not loop.last }}
{% endfor %}
