// Included last by every file of the core: the core knows no server, so that it builds, runs and is tested without one.
// No include guard, on purpose: what counts is what was included before, in each file.
#ifdef POSTGRES_H
#error "a PostgreSQL header reached extension/core; what needs the server belongs in extension/pg or extension/engine"
#endif
