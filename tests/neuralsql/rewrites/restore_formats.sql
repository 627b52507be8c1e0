-- The letters of a format were lower-cased with the query.
select strftime('%y-%m', dob), strftime('%j', dob) from patients
    published: SELECT STRFTIME('%Y-%m', dob), STRFTIME('%J', dob) FROM patients

-- A text elsewhere is left alone.
select drug from prescriptions where drug = '5%y'
    published: SELECT drug FROM prescriptions WHERE drug = '5%y'
