#include "pg/statement.hpp"

#include "pg/column.hpp"
#include "pg/session.hpp"

namespace orch::pg {

namespace {

// The hot statements look rows up by key. With the statistics of an empty table the planner would choose to scan it, and a kept plan stays chosen;
// so planning is steered away from scans and from joins that read a whole leaf. What cannot be avoided then looks expensive enough to be compiled (JIT), which takes
// longer than any of our statements. They are plain variables: no error can leave them set, the destructor resets them.
class PlanByKey {
public:
    PlanByKey() : seqscan_(enable_seqscan), hashjoin_(enable_hashjoin), mergejoin_(enable_mergejoin), jit_(jit_enabled)
    {
        enable_seqscan = enable_hashjoin = enable_mergejoin = jit_enabled = false;
    }
    ~PlanByKey()
    {
        enable_seqscan = seqscan_;
        enable_hashjoin = hashjoin_;
        enable_mergejoin = mergejoin_;
        jit_enabled = jit_;
    }
    PlanByKey(const PlanByKey &) = delete;
    PlanByKey &operator=(const PlanByKey &) = delete;

private:
    bool seqscan_, hashjoin_, mergejoin_, jit_;
};

// Plans of a dropped and newly made extension must not be met again: its tables have other oids, but PostgreSQL would replan them by name, which is right;
// what this number guards is a plan whose preparation was rolled back with the tables it named.
uint64 current_generation() { return extension_oid(); }

}  // namespace

std::string Rows::text(uint64 row, int column) const
{
    bool null = false;
    Datum value = heap_getattr(table_->vals[row], column, table_->tupdesc, &null);
    return null ? std::string() : text_of(value);
}

std::string day_name(int day)
{
    int year, month, dom;
    j2date(day + UNIX_EPOCH_JDATE, &year, &month, &dom);
    char name[16];
    std::snprintf(name, sizeof name, "%04d%02d%02d", year, month, dom);
    return name;
}

SPIPlanPtr Statement::plan_for(int day)
{
    if (!kept_) kept_ = new std::vector<Kept>;
    const uint64 generation = current_generation();
    for (Kept &k : *kept_)
        if (k.day == day && k.generation == generation) return k.plan;

    std::string sql = text_;
    if (day != no_leaf) {
        const std::string name = day_name(day);
        for (size_t at = sql.find("{}"); at != std::string::npos; at = sql.find("{}", at)) sql.replace(at, 2, name);
    }
    SPIPlanPtr plan = nullptr;
    const char *source = sql.c_str();
    call_pg([&] {
        plan = SPI_prepare_cursor(source, type_count_, types_, CURSOR_OPT_GENERIC_PLAN);
        if (!plan) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
        if (SPI_keepplan(plan) != 0) elog(ERROR, "SPI_keepplan failed");
    });
    // One plan a statement and day; those of days long gone are few, but a backend may live for years.
    if (kept_->size() >= 64) {
        SPIPlanPtr oldest = kept_->front().plan;
        kept_->erase(kept_->begin());
        call_pg([&] { SPI_freeplan(oldest); });
    }
    kept_->push_back({day, generation, plan});
    return plan;
}

Rows Statement::execute(int day, const Datum *values, const char *nulls, int count, bool read_only)
{
    if (count != type_count_) throw error{ERRCODE_INTERNAL_ERROR, "a statement was given another number of parameters", text_, {}};
    PlanByKey steer;
    SPIPlanPtr plan = plan_for(day);
    int result = 0;
    call_pg([&] {
        result = SPI_execute_plan(plan, const_cast<Datum *>(values), nulls, read_only, 0);
        if (result < 0) elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
    });
    processed_ = SPI_processed;
    return Rows(SPI_tuptable, SPI_tuptable ? SPI_processed : 0);
}

}  // namespace orch::pg
