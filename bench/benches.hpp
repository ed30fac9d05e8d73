// The benches there are. Each says at the head of its file which real caller it models.
#pragma once

#include <string_view>

#include "bench/support/session.hpp"

namespace tenure::bench {

void bench_allocate(Session& session);
void bench_barrier(Session& session);
void bench_capi(Session& session);
void bench_young(Session& session);
void bench_mark(Session& session);
void bench_optimizer(Session& session);
void bench_pause(Session& session);
void bench_gc(Session& session);
void bench_pool(Session& session);
void bench_pressure(Session& session);
void bench_profile(Session& session);
void bench_replay(Session& session);
void bench_snapshot(Session& session);

struct Bench {
  std::string_view name;
  std::string_view about;  // one line
  void (*run)(Session& session);
};

inline constexpr Bench kBenches[] = {
    {"allocate", "small objects, with their share of young collections", bench_allocate},
    {"barrier", "storing references", bench_barrier},
    {"capi", "what the C ABI costs over C++", bench_capi},
    {"young", "young collections, by survivors", bench_young},
    {"mark", "full collections of a large old generation", bench_mark},
    {"optimizer", "changes to running programs, kept or taken back", bench_optimizer},
    {"pause", "stops and slices while a program goes on allocating", bench_pause},
    {"gc", "whole programs on our heap and on others'", bench_gc},
    {"pool", "leasing and handing back payload memory", bench_pool},
    {"pressure", "cyclic garbage on a device that is nearly full", bench_pressure},
    {"profile", "what watching a program costs it", bench_profile},
    {"replay", "allocation traces of real programs", bench_replay},
    {"snapshot", "looking into a heap as it runs", bench_snapshot},
};

}  // namespace tenure::bench
