#pragma once

#include "query/resource.h"

extern const struct resource models_resource;
extern const struct resource versions_resource;
