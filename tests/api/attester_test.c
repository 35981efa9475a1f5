/* attester_test.c */
#include "machine.h"
#include "service.h"
int main(void)
{
    return 77;
}
