// forms: prints the ledger for people, programs and monitoring. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster.h"
#include "hosts.h"
#include "leases.h"
#include "ledger.h"

namespace sessions {

// One header line, one line for each row, columns aligned; with rates when `watching`.
std::vector<std::string> table(const std::vector<Row>& rows, bool watching);

// One array, one object a line: all fields of the record, and the counters. ASCII only.
std::string json(const std::vector<Row>& rows);

// Both forms for servers, and for leases.
std::vector<std::string> table(const std::vector<HostRow>& rows);
std::string json(const std::vector<HostRow>& rows);
std::vector<std::string> table(const std::vector<LeaseRow>& rows);
std::string json(const std::vector<LeaseRow>& rows);

// Both forms for the sessions of all nodes, with the node, and the age of its list.
std::vector<std::string> table(const std::vector<View>& views);
std::string json(const std::vector<View>& views);

// The text exposition format of Prometheus, version 0.0.4.
std::string prometheus(const std::vector<Row>& rows, bool drained, const std::vector<HostRow>& hosts);

std::string human_bytes(std::uint64_t bytes);    // 512B  1.5KiB  12.0MiB  345GiB
std::string human_rate(double bits_per_second);  // 512bit/s  1.5kbit/s  12.0Mbit/s
std::string human_age(double seconds);           // 7s  3m07s  2h05m  3d04h

}  // namespace sessions
