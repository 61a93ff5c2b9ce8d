// Boost.JSON's compiled half, once for the whole program.
#include <boost/json/src.hpp>
