-- Which months are loaded, and when each was loaded last.
select
    taxi,
    month as source_month,
    {{ adapter.quote('rows') }} as trips,
    total_amount,
    loaded_at
from {{ source('trips', 'loads_current') }}
where taxi in ('yellow', 'green')
