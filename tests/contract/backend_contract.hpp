// What every backend must do, for each kind of memory that it offers. An implementation is entered by
// INSTANTIATE_TEST_SUITE_P over `BackendContract` and `BackendContractDeathTest`, with a way to open
// one of a stated capacity.
#pragma once

#include "tests/contract/backend_fixture.hpp"
#include "tests/contract/backend_memory_contract.hpp"
#include "tests/contract/backend_stream_contract.hpp"
