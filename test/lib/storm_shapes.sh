# The workflows of test/fault/storm. Sourced; `effect` is a table (run uuid, task text) into which each SQL task puts one row, with nothing to keep it from two.
# shellcheck shell=bash

# Faults cost attempts, so there are plenty; what is meant to fail says by its code that it is not tried again.
shape_defaults='"defaults":{"retries":60,"retry_delay_seconds":0.1,"retry_backoff":"fixed","retry_jitter":0}'

noop() { printf '"%s":{"handler":"noop"%s}' "$1" "${2:-}"; }
effect() { printf '"%s":{"sql":"insert into effect select $1::uuid, '"'%s'"' from pg_sleep(%s)","params":["{{ run.id }}"]%s}' "$1" "$1" "${3:-0}" "${2:-}"; }
bad() { printf '"%s":{"handler":"flaky","input":{"fail_times":100000},"no_retry_on":["flaky"]%s}' "$1" "${2:-}"; }
send() { printf '"%s":{"sql":"with s as (select orch.signal($1::uuid, '"'s'"')) insert into effect select $1::uuid, '"'%s'"' from s","params":["{{ run.id }}"]}' "$1" "$1"; }
after() { printf ',"dependencies":["%s"]' "${1//,/\",\"}"; }

# shape NAME STATE TASKS [MORE [EXCEPT]]: how its runs must end; all its tasks succeed but those of EXCEPT, a list of {task: state}; null: nothing is said about tasks.
shape()
{
    register "{\"id\":\"$1\",$shape_defaults,\"tasks\":{$3}${4:+,$4}}"
    sql "insert into expected values ('$1', '$2', '${5:-{\}}')"
    shapes+=("$1")
}

define_shapes()
{
    local n middles='' names=''
    shapes=()
    sql 'create table effect (run uuid, task text); create table expected (workflow text primary key, state text, except_tasks jsonb)'
    sql "create function approve_soon(run uuid) returns void language plpgsql as \$\$ begin while not exists (select from orch.approvals a where a.run_id = run) loop perform pg_sleep(0.05); end loop; perform orch.approve(run, 'ask'); end \$\$"
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        middles+="$(noop "m$n" "$(after first)"),"
        names+="${names:+,}m$n"
    done

    shape single succeeded "$(noop only)"
    shape chain succeeded "$(noop a),$(effect b "$(after a)"),$(noop c "$(after b)"),$(noop d "$(after c)")"
    shape wide succeeded "$(noop first),$middles$(noop last "$(after "$names")")"
    shape roots succeeded "$(noop a),$(effect b),$(noop c),$(noop d "$(after a,b,c)"),$(noop alone)"
    shape diamond succeeded "$(noop top ',"input":{"k":1}'),$(noop left "$(after top),\"when\":\"\$.tasks.top.output.k == 1\""),$(noop right "$(after top),\"when\":\"\$.tasks.top.output.k == 2\""),
        $(effect bottom "$(after left,right),\"trigger_rule\":\"none_failed\"")" '' '{"right":"skipped"}'
    shape handled succeeded "$(bad broken),$(noop fine),$(effect rescue "$(after broken),\"trigger_rule\":\"one_failed\""),
        $(noop both "$(after broken,fine),\"trigger_rule\":\"all_done\""),$(noop never "$(after broken)"),$(noop late "$(after rescue,both)")" \
        '"on_failure":"continue"' '{"broken":"failed","never":"upstream_failed"}'
    shape unhandled failed "$(bad broken),$(noop never "$(after broken)"),$(noop deeper "$(after never)"),$(noop other),$(effect further "$(after other)")" \
        '"on_failure":"continue"' '{"broken":"failed","never":"upstream_failed","deeper":"upstream_failed"}'
    shape fast failed "$(noop first),$(bad broken "$(after first)"),$(effect side "$(after first)" 0.1),$(noop late "$(after broken,side)")" \
        "\"finally\":{$(effect tidy),$(noop told)}" null
    shape flaky succeeded "\"a\":{\"handler\":\"flaky\",\"input\":{\"fail_times\":2}},$(noop b),\"c\":{\"handler\":\"flaky\",\"input\":{\"fail_times\":1}$(after a,b)}"
    shape nap succeeded "$(noop a),\"doze\":{\"sleep\":0.4$(after a)},\"sleep\":{\"sleep\":1.2$(after a)},$(effect b "$(after doze,sleep)")" "\"finally\":{$(effect tidy)}"
    shape sql succeeded "$(effect a '' 0.05),$(effect b "$(after a)"),$(effect c "$(after a)" 0.1),$(effect d "$(after b,c)"),\"sum\":{\"noop\":true,\"input\":\"{{ tasks.d.output.row_count }}\"$(after d)}" \
        '"output":{"rows":"{{ tasks.sum.output }}"}'
    shape commands succeeded "\"a\":{\"command\":\"sleep 0.2; echo 1\"},\"b\":{\"command\":\"sleep 1\"},$(effect c "$(after a,b)")"
    shape narrow succeeded "$(noop a),\"b\":{\"sleep\":0.1$(after a)},$(effect c "$(after b)")" '"max_active_runs":3'
    # What the signal brings is sent by a task of the same run, perhaps before anybody waits for it.
    shape signalled succeeded "\"wait\":{\"signal\":{\"name\":\"s\"}},\"more\":{\"signal\":{\"name\":\"s\"}$(after wait)},$(send one),$(send two),$(effect b "$(after more)")"
    shape asked succeeded "\"ask\":{\"approval\":{}},$(noop a),\"yes\":{\"sql\":\"with y as (select approve_soon(\$1::uuid)) insert into effect select \$1::uuid, 'yes' from y\",\"params\":[\"{{ run.id }}\"]},$(effect b "$(after ask,a)")"
    shape child succeeded "$(noop a),$(effect b "$(after a)")"
    shape parent succeeded "\"one\":{\"workflow\":{\"id\":\"child\"}},\"two\":{\"workflow\":{\"id\":\"child\"}$(after one)},\"loose\":{\"workflow\":{\"id\":\"child\",\"wait\":false}},$(effect c "$(after two)")"
    register '{"id":"waiter","tasks":{"wait":{"signal":{"name":"never"}}}}'
    sql "insert into expected values ('waiter', 'cancelled', 'null')"
    shape stopped cancelled "$(noop a),\"child\":{\"workflow\":{\"id\":\"waiter\"}},\"long\":{\"sleep\":3600$(after a)},\"longer\":{\"command\":\"sleep 3600\"},$(effect b "$(after long)")" "\"finally\":{$(effect tidy)}" null
}
