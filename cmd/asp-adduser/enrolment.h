// enrolment: one account made, or brought into the state of a proxy user's.
#pragma once

#include <string>

#include "home.h"

namespace enrolment {

// `name` is_name. What a failed call made of a new account is taken away again.
// Failure{77} when the account must not be one of the proxy's.
home::Made enrol(const std::string& name, const home::Wanted& wanted);

}  // namespace enrolment
