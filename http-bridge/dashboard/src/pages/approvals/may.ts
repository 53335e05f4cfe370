import type { Role } from '../../api/types';

const ours: Record<string, Role> = { orch_viewer: 'viewer', orch_worker: 'worker', orch_operator: 'operator', orch_admin: 'admin' };

/**
 * Whether a decision is offered. Without roles it is an operator's; a role of ours is known here. Of others only the database knows the members: they are offered to operators, and refused there.
 */
export const mayDecide = (may: (role: Role) => boolean, roles: readonly string[] | null): boolean =>
    roles === null ? may('operator') : roles.some((role) => may(ours[role] ?? 'operator'));
