select
    LocationID as location_id,
    Zone as zone,
    Borough as borough,
    service_zone
from {{ source('trips', 'taxi_zone_lookup') }}
