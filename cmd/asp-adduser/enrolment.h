// enrolment: makes an account, or brings an existing one into the state of a proxy user's.
#pragma once

#include <string>

#include "home.h"

namespace enrolment {

// `name` must be is_name. A failed call removes what it made of a new account. Failure{77} when the
// account must not be one of the proxy's.
home::Made enrol(const std::string& name, const home::Wanted& wanted);

}  // namespace enrolment
