// balance/marks: the marks of this node as files, for balance and balance/shared
// alone; what they mean, and where they lie, is said in balance/balance.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance/types.h"
#include "base/record.h"

namespace balance {

constexpr char kMarks[] = "balance/marks";
constexpr char kHealed[] = "balance/healed";

// Makes the directories.
void prepare_marks();

// FNV-1a, 16 hex digits.
std::string digest(const std::string& text);
// `text`, or its digest if it is no name of a file, or too long for one.
std::string file_name(const std::string& text);

std::string mark_name(State state, const HostPort& host, const std::string& user = "", const std::string& keyfile = "");
std::string mark_name(const Mark& mark);

Record to_record(const Mark& mark);
// Failure{65}.
Mark from_record(const Record& record);

// Absent: there is none, or it is not readable, and then is removed, so that it
// is complained of once.
std::optional<Mark> read_mark(const std::string& name);
void write_mark(const Mark& mark);
// False when there was none.
bool remove_mark(const std::string& name);

// Which mark of that name was taken away here without the other nodes having heard of
// it, as balance/shared calls it; empty: none.
std::string read_healed(const std::string& name);
void write_healed(const std::string& name, const std::string& id);
void remove_healed(const std::string& name);

// Whether they count or not.
std::vector<Mark> all_marks();

}  // namespace balance
