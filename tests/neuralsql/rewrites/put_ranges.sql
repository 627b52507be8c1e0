-- Both ends of a range; a name in quotes is a column.
select v from t where v between sao2_lower and sao2_upper or "sao2_lower" = weight_lower
    published: SELECT v FROM t WHERE v BETWEEN 95.0 AND 100.0 OR "sao2_lower" = weight_lower
