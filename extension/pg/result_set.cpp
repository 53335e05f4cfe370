#include "pg/result_set.hpp"

namespace orch::pg {

ResultSet::ResultSet(FunctionCallInfo fcinfo) : info_(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo))
{
    call_pg([&] { InitMaterializedSRF(fcinfo, 0); });
}

void ResultSet::add(const Datum *values, const bool *nulls)
{
    call_pg([&] { tuplestore_putvalues(info_->setResult, info_->setDesc, const_cast<Datum *>(values), const_cast<bool *>(nulls)); });
}

}  // namespace orch::pg
