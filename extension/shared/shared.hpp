// All of shared memory's interface.
#pragma once

#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/feed.hpp"
#include "shared/memory.hpp"
#include "shared/routes.hpp"
#include "shared/run_ids.hpp"
#include "shared/run_waiters.hpp"
#include "shared/settings.hpp"
#include "shared/transaction.hpp"
#include "shared/workers.hpp"
