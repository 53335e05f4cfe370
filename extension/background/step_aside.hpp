// Background workers hold no database back: before DROP, RENAME, SET TABLESPACE and CREATE ... TEMPLATE ours leave it, and come back afterwards.
#pragma once

namespace orch::background {

/// Hooks into utility commands, and into drops of databases and of the extension; in _PG_init.
void install_step_aside_hooks();

}  // namespace orch::background
