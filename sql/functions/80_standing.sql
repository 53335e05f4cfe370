-- Whose rows these are: a restored or copied database is held until somebody says that it stands for itself.

create or replace function orch.adopt()
returns boolean
language c volatile parallel unsafe
as 'MODULE_PATHNAME', 'orch_adopt';
revoke execute on function orch.adopt() from public;
grant execute on function orch.adopt() to orch_admin;
comment on function orch.adopt() is
    'Lets a database that was restored or copied from another one run what it holds; true if it was held. Make sure first that the original does not run the same.';
