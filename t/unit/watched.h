// watched: whether the process that the tests are in has AddressSanitizer's runtime. The tests
// themselves are compiled without it (Makefile), so only the linked program can tell.
#pragma once

extern "C" void __asan_init() __attribute__((weak));

inline bool watched() { return __asan_init != nullptr; }
